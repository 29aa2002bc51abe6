package dev.hawser.deploy.standalone;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "token",
    description = "Prints connection tokens (JWT, HS256), one line each.",
    mixinStandardHelpOptions = true,
    versionProvider = Hawser.Version.class)
final class TokenCommand implements Callable<Integer> {

  @Option(
      names = "--user",
      required = true,
      paramLabel = "ID",
      description = "Whom the token is for; several for several tokens.")
  private List<String> users = List.of();

  @Option(
      names = "--ttl",
      paramLabel = "TIME",
      defaultValue = "24h",
      description = "How long it is good, such as 30s, 15m or 24h (default: ${DEFAULT-VALUE}).")
  private String timeToLive = "24h";

  @Option(
      names = "--secret",
      paramLabel = "SECRET",
      defaultValue = Development.SECRET,
      description = "What it is signed with (default: the secret of hawser dev).")
  private String secret = Development.SECRET;

  @Override
  public Integer call() {
    Duration duration = duration(timeToLive);
    if (users.contains("")) {
      throw new IllegalArgumentException("--user is empty, expected a user id");
    }
    users.forEach(user -> System.out.println(Development.token(user, duration, secret)));
    return 0;
  }

  private static Duration duration(String text) {
    try {
      Duration duration = Duration.parse("PT" + text.toUpperCase(Locale.ROOT));
      if (duration.isPositive()) {
        return duration;
      }
    } catch (DateTimeParseException unreadable) {
      // Said below.
    }
    throw new IllegalArgumentException(
        "--ttl is %s, expected a time such as 30s, 15m or 24h".formatted(text));
  }
}
