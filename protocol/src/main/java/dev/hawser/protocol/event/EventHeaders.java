package dev.hawser.protocol.event;

/**
 * Names of the Kafka record headers that Hawser reads and writes. Values are UTF-8 text. Headers
 * route a record, its value passes through untouched. All are optional, except that an event needs
 * one target: {@link #USER} or {@link #CHANNEL}.
 */
public final class EventHeaders {

  /** {@code keep} or {@code drop}: what becomes of the event while its user is away. */
  public static final String OFFLINE = "X-Offline";

  /** Message id, for de-duplication. */
  public static final String ID = "X-ID";

  /** The user an event is for; in upstream records the user who sent it. */
  public static final String USER = "X-Uid";

  /** The document or channel an event is for. */
  public static final String CHANNEL = "X-Guid";

  /** Present and not {@code false}: an internal event, never sent to clients. */
  public static final String INNER = "X-Inner";

  /** Event name, for example {@code message.created}. */
  public static final String EVENT = "X-Event";

  /** Begins the header of a tag: what follows is its name. Clients see tags beside the payload. */
  public static final String TAG_PREFIX = "X-Tag-";

  /** The author's locale, a BCP 47 language tag. */
  public static final String LOCALE = "X-Locale";

  /** Who caused the event. */
  public static final String OPERATOR = "X-Operator";

  /** How the author of an upstream record was authenticated: {@code jwt} or {@code anonymous}. */
  public static final String AUTH_TYPE = "X-Auth-Type";

  /** Name and version of the client application, {@code name/version}. */
  public static final String CLIENT_VERSION = "X-Client-Version";

  /** Hawser's version. */
  public static final String SERVER_VERSION = "X-Server-Version";

  /** The connection that must not get the event: usually the one whose message caused it. */
  public static final String PUSH_CLIENT_ID = "X-Push-Client-ID";

  /** W3C traceparent. */
  public static final String TRACE_ID = "X-Trace-ID";

  /** On dead letters: why the record was refused. */
  public static final String DEAD_LETTER_REASON = "X-Dead-Letter-Reason";

  /** On dead letters: where the record stood, {@code topic-partition@offset}. */
  public static final String DEAD_LETTER_SOURCE = "X-Dead-Letter-Source";

  private EventHeaders() {}
}
