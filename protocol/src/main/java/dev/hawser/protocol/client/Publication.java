package dev.hawser.protocol.client;

import java.util.Collections;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One message of a channel, pushed live or handed out by recovery and history (section 3,
 * "Publication").
 *
 * @param data what the application published
 * @param info who published it; null unless a client did
 * @param offset its number in the channel's stream, unsigned; 0 in a channel without history
 * @param tags labels of the publisher
 * @param time when it was published, Unix milliseconds; 0 when not told
 * @param epoch the stream's epoch, for clients that subscribed before the stream existed; usually
 *     {@code ""}
 */
public record Publication(
    Payload data,
    @Nullable ClientInfo info,
    long offset,
    Map<String, String> tags,
    long time,
    String epoch)
    implements PushBody {

  public Publication {
    tags = Collections.unmodifiableMap(tags);
  }

  /** A publication of the server: nothing but data and its place in the stream. */
  public static Publication of(Payload data, long offset) {
    return new Publication(data, null, offset, Map.of(), 0, "");
  }
}
