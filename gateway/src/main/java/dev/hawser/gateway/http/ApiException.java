package dev.hawser.gateway.http;

import static java.util.Objects.requireNonNull;

import dev.hawser.protocol.client.ErrorCode;

/** Why a call of the server API was refused. */
final class ApiException extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final ErrorCode code;

  ApiException(ErrorCode code) {
    super(code.message());
    this.code = code;
  }

  /**
   * Names the culprit.
   *
   * @param detail what is wrong, and what was expected
   */
  ApiException(ErrorCode code, String detail) {
    super(code.message() + ": " + detail);
    this.code = code;
  }

  /** A field is wrong. */
  static ApiException bad(String detail) {
    return new ApiException(ErrorCode.BAD_REQUEST, detail);
  }

  /** The status of the answer, for those who want one. */
  int status() {
    return switch (code) {
      case BAD_REQUEST, NOT_AVAILABLE -> 400;
      case UNKNOWN_CHANNEL, METHOD_NOT_FOUND -> 404;
      default -> 500;
    };
  }

  /** As callers see it. */
  record Reply(int code, String message) {}

  Reply reply() {
    return new Reply(code.code(), requireNonNull(getMessage()));
  }
}
