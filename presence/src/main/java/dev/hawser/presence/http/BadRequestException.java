package dev.hawser.presence.http;

/** The caller asked for something that cannot be. */
final class BadRequestException extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final String parameter;

  /**
   * Names the culprit.
   *
   * @param parameter the parameter, or the field of the body, that is wrong
   * @param detail what it is and what was expected
   */
  BadRequestException(String parameter, String detail) {
    super(detail);
    this.parameter = parameter;
  }

  String parameter() {
    return parameter;
  }
}
