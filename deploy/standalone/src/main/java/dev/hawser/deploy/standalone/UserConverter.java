package dev.hawser.deploy.standalone;

import dev.hawser.gateway.connection.Identity;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A user id, as a node accepts it. */
final class UserConverter implements ITypeConverter<String> {

  @Override
  public String convert(String text) {
    if (text.isEmpty() || text.length() > Identity.MAX_USER_LENGTH) {
      throw new TypeConversionException(
          "a user id of %d characters, expected 1 to %d"
              .formatted(text.length(), Identity.MAX_USER_LENGTH));
    }
    return text;
  }
}
