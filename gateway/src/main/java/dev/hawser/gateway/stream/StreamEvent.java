package dev.hawser.gateway.stream;

import dev.hawser.protocol.event.PushEvent;

/**
 * An event at its place in its user's stream.
 *
 * @param offset rises along the stream, not by one: the event's offset in its Kafka partition, plus
 *     one, since streams count from 1
 * @param excluded the connection that must not get it, 0 for none
 */
public record StreamEvent(PushEvent event, long offset, long excluded) {

  /** Bytes of the payload, and characters of the tags. */
  public int size() {
    int size = event.payload().bytes().length;
    for (var tag : event.tags().entrySet()) {
      size += tag.getKey().length() + tag.getValue().length();
    }
    return size;
  }
}
