package dev.hawser.deploy.standalone;

import java.nio.file.FileSystemException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;

/** The command {@code hawser}. */
@Command(
    name = "hawser",
    description = "A WebSocket connection cluster.",
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DevCommand.class,
      TokenCommand.class,
      WatchCommand.class,
      PushCommand.class,
      NodeCommand.class,
      DoctorCommand.class,
      HelpCommand.class
    })
public final class Hawser {

  /** Says which Hawser this is, and on which Java. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Hawser.class.getPackage().getImplementationVersion();
      return new String[] {
        "hawser " + (version == null ? "development" : version), "Java " + Runtime.version(),
      };
    }
  }

  private Hawser() {}

  /** Exit code 0, 1 if the command failed, 2 if it was not understood. */
  public static void main(String[] arguments) {
    var commandLine =
        new CommandLine(new Hawser())
            .setExecutionExceptionHandler(
                (failure, command, parsed) -> {
                  command
                      .getErr()
                      .println(command.getColorScheme().errorText("hawser: " + reason(failure)));
                  return 1;
                });
    System.exit(commandLine.execute(arguments));
  }

  private static String reason(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof java.util.concurrent.CompletionException
        || cause instanceof java.util.concurrent.ExecutionException) {
      if (cause.getCause() == null) {
        break;
      }
      cause = cause.getCause();
    }
    if (cause.getMessage() == null || cause instanceof FileSystemException) {
      // Messages of file errors are the file's name only.
      return cause.getClass().getSimpleName() + ": " + cause.getMessage();
    }
    return cause.getMessage();
  }
}
