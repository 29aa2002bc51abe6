package dev.hawser.deploy.standalone;

import picocli.CommandLine.Command;

@Command(
    name = "presence",
    description = {
      "Runs the presence service alone: needs PostgreSQL only.",
      "It answers who is online over HTTP; settings come from where a node has them from."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class PresenceCommand extends NodeCommand {

  @Override
  public Integer call() {
    // What is set here wins over the file and the environment.
    System.setProperty("hawser.roles", "presence");
    return super.call();
  }
}
