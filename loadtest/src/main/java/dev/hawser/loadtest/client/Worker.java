package dev.hawser.loadtest.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.concurrent.TimeUnit;

/**
 * A process that holds connections. Its first line of input is its {@link WorkerPlan}, each further
 * one an order; the end of its input closes its connections and ends it, so it ends with its
 * coordinator. Every half second, and when it is asked to, it says how many are connected, and what
 * happened since.
 */
public final class Worker {

  static final String CONNECT = "connect";
  static final String RUN = "run";
  static final String REST = "rest";
  static final String LEAVE = "leave";
  static final String REPORT = "report";

  private static final int TICK_MICROSECONDS = 1_000;
  private static final int REPORT_MILLISECONDS = 500;
  private static final int SWEEP_MILLISECONDS = 1_000;

  private Worker() {}

  /** Runs until its input ends. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    var input = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    WorkerPlan plan = WorkerPlan.parse(input.readLine());
    var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    EventLoop loop = group.next();
    var connections = new Connections(plan, loop);
    PrintStream out = System.out;
    every(loop, TICK_MICROSECONDS, TimeUnit.MICROSECONDS, connections::tick);
    every(loop, SWEEP_MILLISECONDS, TimeUnit.MILLISECONDS, connections::sweep);
    Runnable report =
        () -> {
          out.println(connections.connected() + "\t" + connections.takeCounts().toLine());
          out.flush();
        };
    every(loop, REPORT_MILLISECONDS, TimeUnit.MILLISECONDS, report);
    for (String order = input.readLine(); order != null; order = input.readLine()) {
      switch (order) {
        case CONNECT -> loop.execute(connections::connect);
        case RUN -> loop.execute(connections::run);
        case REST -> loop.execute(connections::rest);
        case LEAVE -> loop.execute(connections::leaveAll);
        case REPORT -> loop.execute(report);
        default -> throw new IllegalArgumentException("unknown order: " + order);
      }
    }
    loop.submit(connections::end).syncUninterruptibly();
    Runtime.getRuntime().halt(0);
  }

  private static void every(EventLoop loop, long period, TimeUnit unit, Runnable task) {
    var unused =
        loop.scheduleAtFixedRate(
            () -> {
              try {
                task.run();
              } catch (RuntimeException bug) {
                // Otherwise it would never run again, and nobody would know.
                bug.printStackTrace();
                Runtime.getRuntime().halt(1);
              }
            },
            period,
            period,
            unit);
  }
}
