package dev.hawser.gateway;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
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
      Gateway gateway = Gateway.start(ConfigFactory.defaultApplication());
      gateway.ready().toCompletableFuture().join();
      log.info("ready");
      gateway.terminated().toCompletableFuture().join();
    } catch (IllegalArgumentException | ConfigException wrong) {
      fail(wrong);
    } catch (CompletionException failed) {
      fail(failed.getCause() == null ? failed : failed.getCause());
    }
  }

  private static void fail(Throwable cause) {
    System.err.println("hawser: " + cause.getMessage());
    System.exit(1);
  }
}
