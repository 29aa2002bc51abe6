package dev.hawser.loadtest.server;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * While it is open, a signal to stop (Ctrl-C) interrupts the thread that opened it, and the process
 * ends when that has closed it.
 */
public final class StopSignal implements AutoCloseable {

  private static final int END_SECONDS = 90;

  private final CountDownLatch ended = new CountDownLatch(1);

  /** Of the current thread. */
  public StopSignal() {
    Thread thread = Thread.currentThread();
    var hook =
        new Thread(
            () -> {
              thread.interrupt();
              try {
                var unused = ended.await(END_SECONDS, TimeUnit.SECONDS);
              } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
              }
            },
            "load-stop");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
