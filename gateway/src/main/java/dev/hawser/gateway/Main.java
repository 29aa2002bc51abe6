package dev.hawser.gateway;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A production node. Its settings come from {@code application.conf}, {@code -Dconfig.file} and the
 * {@code HAWSER_*} environment.
 */
public final class Main {

  private static final Logger log = LoggerFactory.getLogger(Main.class);

  private Main() {}

  /** Runs until the process is told to stop; exit code 1 if the node cannot start. */
  public static void main(String[] arguments) {
    try {
      while (runsOnce()) {
        log.warn("the others took this node for dead; it starts anew");
      }
    } catch (IllegalArgumentException | ConfigException wrong) {
      fail(wrong);
    } catch (CompletionException failed) {
      fail(failed.getCause() == null ? failed : failed.getCause());
    }
  }

  /** Whether the node lost its membership, and has to join again as a new one. */
  private static boolean runsOnce() {
    Gateway gateway = Gateway.start(ConfigFactory.defaultApplication());
    var ended =
        gateway
            .ready()
            .thenCompose(
                ready -> {
                  log.info("ready");
                  return gateway.terminated();
                })
            .toCompletableFuture();
    // A node that is downed before it was ever ready ends without an answer.
    CompletableFuture.anyOf(ended, gateway.terminated().toCompletableFuture()).join();
    return gateway.lostMembership();
  }

  private static void fail(Throwable cause) {
    System.err.println("hawser: " + cause.getMessage());
    System.exit(1);
  }
}
