package dev.hawser.gateway.socket;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/**
 * permessage-deflate (RFC 7692) without context takeover, in either direction: between two messages
 * a connection holds nothing, and one compressor serves all connections of a thread.
 */
final class Deflate {

  /** What this server agrees to. */
  static final String AGREED =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

  /** Marks the first frame of a compressed message. */
  static final int RESERVED_BIT = 0x40;

  /** What a sender leaves out behind each message. */
  static final byte[] TAIL = {0, 0, (byte) 0xFF, (byte) 0xFF};

  /** Below this it is not worth it. */
  private static final int MIN_BYTES = 256;

  private static final ThreadLocal<Deflater> COMPRESSOR =
      ThreadLocal.withInitial(() -> new Deflater(Deflater.DEFAULT_COMPRESSION, true));

  private Deflate() {}

  /** Whether one of the offers of a client (section 7.1) can be agreed to. */
  static boolean isOffered(List<String> headers) {
    return headers.stream()
        .flatMap(header -> Arrays.stream(header.split(",", -1)))
        .anyMatch(Deflate::isAcceptable);
  }

  private static boolean isAcceptable(String offer) {
    String[] parts = offer.split(";", -1);
    if (!parts[0].strip().equals("permessage-deflate")) {
      return false;
    }
    Set<String> names = new HashSet<>();
    for (String part : Arrays.asList(parts).subList(1, parts.length)) {
      String parameter = part.strip();
      // The window of java.util.zip is always the largest, so no server_max_window_bits.
      if (!parameter.matches(
              "(server|client)_no_context_takeover"
                  + "|client_max_window_bits(=(\"?)([89]|1[0-5])\\3)?")
          || !names.add(parameter.replaceFirst("=.*", ""))) {
        return false;
      }
    }
    return true;
  }

  /** The message compressed; null if it would not get smaller. */
  static byte @Nullable [] compress(byte[] message) {
    if (message.length < MIN_BYTES) {
      return null;
    }
    Deflater compressor = COMPRESSOR.get();
    compressor.reset();
    compressor.setInput(message);
    byte[] out = new byte[message.length];
    int size = 0;
    while (size < out.length) {
      int count = compressor.deflate(out, size, out.length - size, Deflater.SYNC_FLUSH);
      if (count == 0) {
        break;
      }
      size += count;
    }
    return size == out.length ? null : Arrays.copyOf(out, size - TAIL.length);
  }
}
