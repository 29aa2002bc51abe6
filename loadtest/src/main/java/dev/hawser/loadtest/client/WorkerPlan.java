package dev.hawser.loadtest.client;

import java.net.URI;
import java.util.Arrays;
import java.util.List;

/**
 * What one worker does. It is said to the worker as one line.
 *
 * @param urls where clients connect, in turns; {@code ws://host:port/path}
 * @param secret what tokens are signed with (HS256)
 * @param prefix user ids are this and a number
 * @param firstUser number of the worker's first user
 * @param users how many connections the worker holds, one per user
 * @param allUsers how many users all workers have: whom a chat message may be for
 * @param sources local addresses, in turns
 * @param connectsPerSecond pace of arrivals
 * @param churnPerSecond connections that end and are replaced, while it is told to run
 * @param messagesPerSecond what clients send, while it is told to run
 * @param payloadBytes size of what clients send, about
 * @param talk what clients say
 * @param speech how
 */
public record WorkerPlan(
    List<URI> urls,
    String secret,
    String prefix,
    int firstUser,
    int users,
    int allUsers,
    List<String> sources,
    double connectsPerSecond,
    double churnPerSecond,
    double messagesPerSecond,
    int payloadBytes,
    Talk talk,
    Speech speech) {

  /** What clients say. */
  public enum Talk {
    /** Nothing but pongs. */
    NOTHING,
    /** Publications to themselves, which the server acknowledges. */
    PUBLISH,
    /** Messages for other users. */
    CHAT,
    /** An answer to every broadcast. */
    ANSWER
  }

  /** The dialect of a server. */
  public enum Speech {
    /** Hawser's. */
    CENTRIFUGO,
    /** Text frames without a protocol in them. */
    PLAIN_TEXT,
    /** Socket.IO over a WebSocket. */
    SOCKET_IO
  }

  private static final String FIELD = "\t";
  private static final String ITEM = " ";

  String toLine() {
    return String.join(
        FIELD,
        String.join(ITEM, urls.stream().map(URI::toString).toList()),
        secret,
        prefix,
        Integer.toString(firstUser),
        Integer.toString(users),
        Integer.toString(allUsers),
        String.join(ITEM, sources),
        Double.toString(connectsPerSecond),
        Double.toString(churnPerSecond),
        Double.toString(messagesPerSecond),
        Integer.toString(payloadBytes),
        talk.name(),
        speech.name());
  }

  static WorkerPlan parse(String line) {
    String[] fields = line.split(FIELD, -1);
    return new WorkerPlan(
        Arrays.stream(fields[0].split(ITEM, -1)).map(URI::create).toList(),
        fields[1],
        fields[2],
        Integer.parseInt(fields[3]),
        Integer.parseInt(fields[4]),
        Integer.parseInt(fields[5]),
        List.of(fields[6].split(ITEM, -1)),
        Double.parseDouble(fields[7]),
        Double.parseDouble(fields[8]),
        Double.parseDouble(fields[9]),
        Integer.parseInt(fields[10]),
        Talk.valueOf(fields[11]),
        Speech.valueOf(fields[12]));
  }
}
