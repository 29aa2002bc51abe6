package dev.hawser.gateway.socket;

/**
 * Checks UTF-8 (RFC 3629) as it comes in, in parts of any size, and notices the first byte that
 * cannot be right: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * <p>The state between two parts is a number: continuation bytes still due, and the range of the
 * next one.
 */
final class Utf8 {

  /** Before the first part, and wherever a text may end. */
  static final int COMPLETE = 0;

  /** No continuation makes it right. */
  static final int INVALID = -1;

  private Utf8() {}

  /**
   * The state behind a part.
   *
   * @param state the one before it, not {@link #INVALID}
   */
  static int check(int state, byte[] bytes, int from, int to) {
    int now = state;
    for (int i = from; i < to; i++) {
      byte next = bytes[i];
      if (next < 0 || now != COMPLETE) {
        now = after(now, next & 0xFF);
        if (now == INVALID) {
          return INVALID;
        }
      }
    }
    return now;
  }

  private static int after(int state, int next) {
    if (state == COMPLETE) {
      return first(next);
    }
    int due = state >>> 16;
    int low = (state >>> 8) & 0xFF;
    int high = state & 0xFF;
    if (next < low || next > high) {
      return INVALID;
    }
    return due == 1 ? COMPLETE : expecting(due - 1, 0x80, 0xBF);
  }

  private static int first(int next) {
    if (next < 0xC2 || next > 0xF4) {
      return INVALID;
    }
    return switch (next) {
      case 0xE0 -> expecting(2, 0xA0, 0xBF);
      case 0xED -> expecting(2, 0x80, 0x9F);
      case 0xF0 -> expecting(3, 0x90, 0xBF);
      case 0xF4 -> expecting(3, 0x80, 0x8F);
      default -> expecting(next < 0xE0 ? 1 : next < 0xF0 ? 2 : 3, 0x80, 0xBF);
    };
  }

  private static int expecting(int due, int low, int high) {
    return (due << 16) | (low << 8) | high;
  }
}
