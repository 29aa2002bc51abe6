package dev.hawser.protocol.client;

/**
 * Whether bytes are one JSON value (RFC 8259) in valid UTF-8. A payload is checked for each push,
 * and a parser costs more than all the rest of the push: this reads each byte once and allocates
 * nothing but itself.
 */
final class JsonSyntax {

  /** As deep as Jackson goes; deeper values are taken for an attack. */
  private static final int MAX_DEPTH = 1_000;

  private final byte[] bytes;
  private int next;
  private int depth;

  private JsonSyntax(byte[] bytes) {
    this.bytes = bytes;
  }

  static boolean isValid(byte[] bytes) {
    var syntax = new JsonSyntax(bytes);
    syntax.space();
    if (!syntax.value()) {
      return false;
    }
    syntax.space();
    return syntax.next == bytes.length;
  }

  static boolean isUtf8(byte[] bytes) {
    var syntax = new JsonSyntax(bytes);
    while (syntax.next < bytes.length) {
      if (bytes[syntax.next] >= 0) {
        syntax.next++;
      } else if (!syntax.multibyte()) {
        return false;
      }
    }
    return true;
  }

  private boolean value() {
    return switch (peek()) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> string();
      case 't' -> word("true");
      case 'f' -> word("false");
      case 'n' -> word("null");
      default -> number();
    };
  }

  private boolean object() {
    if (++depth > MAX_DEPTH) {
      return false;
    }
    next++;
    space();
    if (take('}')) {
      depth--;
      return true;
    }
    do {
      space();
      if (peek() != '"' || !string()) {
        return false;
      }
      space();
      if (!take(':')) {
        return false;
      }
      space();
      if (!value()) {
        return false;
      }
      space();
    } while (take(','));
    depth--;
    return take('}');
  }

  private boolean array() {
    if (++depth > MAX_DEPTH) {
      return false;
    }
    next++;
    space();
    if (take(']')) {
      depth--;
      return true;
    }
    do {
      space();
      if (!value()) {
        return false;
      }
      space();
    } while (take(','));
    depth--;
    return take(']');
  }

  private boolean string() {
    next++;
    while (next < bytes.length) {
      int octet = bytes[next];
      if (octet == '"') {
        next++;
        return true;
      }
      if (octet == '\\') {
        next++;
        if (!escape()) {
          return false;
        }
      } else if (octet >= ' ') {
        next++;
      } else if (octet >= 0 || !multibyte()) {
        return false;
      }
    }
    return false;
  }

  private boolean escape() {
    int kind = peek();
    next++;
    if (kind != 'u') {
      return kind >= 0 && "\"\\/bfnrt".indexOf(kind) >= 0;
    }
    for (int digit = 0; digit < 4; digit++) {
      if (Character.digit(peek(), 16) < 0) {
        return false;
      }
      next++;
    }
    return true;
  }

  /** A character of two to four bytes: no overlong form, no surrogate, nothing above U+10FFFF. */
  private boolean multibyte() {
    int first = bytes[next++] & 0xFF;
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || next + more > bytes.length) {
      return false;
    }
    int codePoint = first & (0x3F >> more);
    for (int end = next + more; next < end; next++) {
      if ((bytes[next] & 0xC0) != 0x80) {
        return false;
      }
      codePoint = (codePoint << 6) | (bytes[next] & 0x3F);
    }
    boolean overlong = codePoint < (more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80);
    boolean surrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
    return !overlong && !surrogate && codePoint <= 0x10FFFF;
  }

  private boolean number() {
    take('-');
    if (!take('0') && !digits()) {
      return false;
    }
    if (take('.') && !digits()) {
      return false;
    }
    if (take('e') || take('E')) {
      if (!take('+')) {
        take('-');
      }
      return digits();
    }
    return true;
  }

  private boolean digits() {
    int start = next;
    while (peek() >= '0' && peek() <= '9') {
      next++;
    }
    return next > start;
  }

  private boolean word(String word) {
    for (int i = 0; i < word.length(); i++) {
      if (!take(word.charAt(i))) {
        return false;
      }
    }
    return true;
  }

  private void space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
      next++;
    }
  }

  private boolean take(int expected) {
    if (peek() == expected) {
      next++;
      return true;
    }
    return false;
  }

  /** The next byte, negative beyond ASCII and at the end. */
  private int peek() {
    return next < bytes.length ? bytes[next] : -1;
  }
}
