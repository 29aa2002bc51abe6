package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.ConnectedEvent;
import io.github.centrifugal.centrifuge.ConnectingEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenGetter;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.ErrorEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.ServerPublicationEvent;
import io.github.centrifugal.centrifuge.TokenCallback;
import java.io.ByteArrayOutputStream;
import java.net.ConnectException;
import java.time.Duration;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "watch",
    description = {
      "Connects as a user, with the stock Java SDK, and prints what arrives.",
      "Payloads go to standard output, one line each; all else to standard error."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class WatchCommand implements Callable<Integer> {

  private static final Duration TOKEN_LIFE = Duration.ofHours(24);

  /** The SDK's code for its own end. */
  private static final int BY_THE_CLIENT = 0;

  private static final long CLOSE_TIMEOUT_MILLISECONDS = 3_000;

  @Mixin private Ports ports = new Ports();

  @Option(
      names = "--user",
      required = true,
      paramLabel = "ID",
      converter = UserConverter.class,
      description = "Who connects.")
  private String user = "";

  @Option(
      names = "--node",
      paramLabel = "K",
      defaultValue = "1",
      description = "The node of hawser dev --nodes to connect to (default: ${DEFAULT-VALUE}).")
  private int node = 1;

  @Option(
      names = "--url",
      paramLabel = "URL",
      description = "Where to connect (default: the WebSocket port of hawser dev).")
  private @Nullable String url;

  @Option(
      names = "--token",
      paramLabel = "JWT",
      description = "The token to use (default: one signed with the secret of hawser dev).")
  private @Nullable String token;

  @Option(
      names = "--count",
      paramLabel = "N",
      defaultValue = "-1",
      description = "End after N payloads (default: never).")
  private long count = -1;

  @Option(
      names = "--tags",
      description = "Prints a tab and the tags behind each payload, such as event=NAME.")
  private boolean tags;

  @Override
  public Integer call() throws InterruptedException {
    var options = new Options();
    if (token == null) {
      options.setToken(Development.token(user, TOKEN_LIFE, Development.SECRET));
      options.setTokenGetter(
          new ConnectionTokenGetter() {
            @Override
            public void getConnectionToken(ConnectionTokenEvent event, TokenCallback callback) {
              callback.Done(null, Development.token(user, TOKEN_LIFE, Development.SECRET));
            }
          });
    } else {
      options.setToken(token);
    }
    if (url != null && !url.matches("wss?://[^/\\s]+(/.*)?")) {
      throw new IllegalArgumentException(
          "--url is %s, expected ws://HOST:PORT/PATH or wss://…".formatted(url));
    }
    String endpoint =
        url == null
            ? "ws://127.0.0.1:%d/connection/websocket".formatted(ports.webSocket(node))
            : url;
    var printer = new Printer(endpoint, count, tags);
    var client = new Client(endpoint, options, printer);
    var closed = new AtomicBoolean();
    // Ctrl-C: the server is told, too.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(client, closed)));
    client.connect();
    printer.ended.await();
    close(client, closed);
    return printer.exitCode;
  }

  private static void close(Client client, AtomicBoolean closed) {
    if (closed.compareAndSet(false, true)) {
      client.disconnect();
      try {
        client.close(CLOSE_TIMEOUT_MILLISECONDS);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static final class Printer extends EventListener {
    private final String endpoint;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final boolean tags;
    private long left;
    private volatile int exitCode;

    Printer(String endpoint, long count, boolean tags) {
      this.endpoint = endpoint;
      this.tags = tags;
      this.left = count;
    }

    private static void say(String line) {
      System.err.println(line);
    }

    @Override
    public void onConnecting(Client client, ConnectingEvent event) {
      say(
          event.getCode() == BY_THE_CLIENT
              ? "connecting to " + endpoint
              : "disconnected: %d %s; connecting again"
                  .formatted(event.getCode(), event.getReason()));
    }

    @Override
    public void onConnected(Client client, ConnectedEvent event) {
      say("connected as client " + event.getClient());
    }

    @Override
    public void onDisconnected(Client client, DisconnectedEvent event) {
      if (event.getCode() == BY_THE_CLIENT) {
        return;
      }
      say("disconnected for good: %d %s".formatted(event.getCode(), event.getReason()));
      exitCode = 1;
      ended.countDown();
    }

    @Override
    public void onError(Client client, ErrorEvent event) {
      Throwable error = event.getError();
      Throwable cause = error.getCause() == null ? error : error.getCause();
      if (cause instanceof ConnectException) {
        say(
            "cannot connect to %s, trying again; is hawser dev running (with another --port-offset)?"
                .formatted(endpoint));
      } else if (cause.getMessage() != null) {
        say("trouble with %s, trying again: %s".formatted(endpoint, cause.getMessage()));
      }
    }

    @Override
    public void onPublication(Client client, ServerPublicationEvent event) {
      if (left == 0) {
        return;
      }
      print(event);
      if (System.out.checkError()) {
        // Whoever reads has gone, as head(1) does.
        left = 0;
        ended.countDown();
        return;
      }
      if (left > 0) {
        left--;
      }
      if (left == 0) {
        ended.countDown();
      }
    }

    /** As bytes: what arrived is shown as it is, whatever the terminal's encoding. */
    private void print(ServerPublicationEvent event) {
      var line = new ByteArrayOutputStream();
      for (byte each : event.getData()) {
        // One line each, pretty-printed JSON included: a line break can only stand between tokens.
        line.write(each == '\n' ? ' ' : each);
      }
      if (tags) {
        new TreeMap<>(event.getTags())
            .forEach((name, value) -> line.writeBytes(("\t" + name + "=" + value).getBytes(UTF_8)));
      }
      line.write('\n');
      System.out.writeBytes(line.toByteArray());
    }
  }
}
