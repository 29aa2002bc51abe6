package dev.hawser.deploy.standalone;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

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
      converter = UserConverter.class,
      description = "Whom the token is for; several for several tokens.")
  private List<String> users = List.of();

  @Option(
      names = "--ttl",
      paramLabel = "TIME",
      defaultValue = "24h",
      converter = TimeConverter.class,
      description = "How long it is good, such as 30s, 15m, 24h or 7d (default: ${DEFAULT-VALUE}).")
  private Duration timeToLive = Duration.ofHours(24);

  @Option(
      names = "--secret",
      paramLabel = "SECRET",
      defaultValue = Development.SECRET,
      description = "What it is signed with (default: the secret of hawser dev).")
  private String secret = Development.SECRET;

  @Override
  public Integer call() {
    users.forEach(user -> System.out.println(Development.token(user, timeToLive, secret)));
    return 0;
  }

  private static final class TimeConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      String upper = text.toUpperCase(Locale.ROOT);
      try {
        Duration duration = Duration.parse(upper.endsWith("D") ? "P" + upper : "PT" + upper);
        if (duration.isPositive()) {
          return duration;
        }
      } catch (DateTimeParseException unreadable) {
        // Said below.
      }
      throw new TypeConversionException(text + ", expected a time such as 30s, 15m, 24h or 7d");
    }
  }
}
