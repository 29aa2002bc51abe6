package dev.hawser.deploy.standalone;

import dev.hawser.gateway.Main;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
    name = "node",
    description = {
      "Runs a production node: needs PostgreSQL and Kafka.",
      "Settings: the environment (HAWSER_*), or HAWSER_JAVA_OPTS=-Dconfig.file=FILE;",
      "reference.conf of the gateway and presence modules lists them all."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class NodeCommand implements Callable<Integer> {

  @Override
  public Integer call() {
    Main.main(new String[0]);
    return 0;
  }
}
