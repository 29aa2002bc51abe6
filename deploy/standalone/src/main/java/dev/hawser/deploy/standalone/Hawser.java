package dev.hawser.deploy.standalone;

import dev.hawser.loadtest.LoadCommand;
import java.io.PrintWriter;
import java.nio.file.FileSystemException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

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
      TailCommand.class,
      NodeCommand.class,
      PresenceCommand.class,
      DoctorCommand.class,
      CheckCommand.class,
      LoadCommand.class,
      TrainCommand.class,
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
    System.exit(execute(arguments));
  }

  /** The command, but for the end of the process; returns its exit code. */
  static int execute(String... arguments) {
    return new CommandLine(new Hawser())
        .setParameterExceptionHandler(Hawser::explain)
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> {
              command
                  .getErr()
                  .println(command.getColorScheme().errorText("hawser: " + reason(failure)));
              return 1;
            })
        .execute(arguments);
  }

  /** One line and where to read on, not the whole help. */
  private static int explain(ParameterException wrong, String[] arguments) {
    CommandLine command = wrong.getCommandLine();
    PrintWriter err = command.getErr();
    err.println(command.getColorScheme().errorText("hawser: " + wrong.getMessage()));
    if (!UnmatchedArgumentException.printSuggestions(wrong, err)) {
      err.printf("Try: %s --help%n", command.getCommandSpec().qualifiedName());
    }
    return command.getCommandSpec().exitCodeOnInvalidInput();
  }

  private static String reason(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException || cause instanceof ExecutionException) {
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
