package dev.hawser.deploy.standalone;

import dev.hawser.gateway.Main;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "node",
    description = {
      "Runs a production node: needs PostgreSQL and Kafka.",
      "Settings come from the environment (HAWSER_*) and from a file; docs/operations.md has more."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
class NodeCommand implements Callable<Integer> {

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "Settings (HOCON); what it sets wins over the environment.")
  private @Nullable Path file;

  /**
   * For hawser dev, which holds the other end of standard input: it ends however its holder ends.
   */
  @Option(names = "--exit-with-parent", hidden = true)
  private boolean exitWithParent;

  @Override
  public Integer call() {
    if (exitWithParent) {
      var unused = Thread.ofPlatform().daemon().name("parent").start(NodeCommand::endWithInput);
    }
    if (file != null) {
      if (!Files.isReadable(file)) {
        throw new IllegalArgumentException(
            "--config is %s, expected a readable file".formatted(file));
      }
      System.setProperty("config.file", file.toString());
    }
    Main.main(new String[0]);
    return 0;
  }

  /** At once: with its parent, the node has lost its Kafka, and would wait for it in vain. */
  private static void endWithInput() {
    try {
      System.in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException broken) {
      // As good as its end.
    }
    Runtime.getRuntime().halt(1);
  }
}
