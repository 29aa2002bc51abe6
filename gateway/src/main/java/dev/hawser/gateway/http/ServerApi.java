package dev.hawser.gateway.http;

import dev.hawser.gateway.connection.ConnectionId;
import dev.hawser.gateway.connection.Identity;
import dev.hawser.gateway.session.Attachments;
import dev.hawser.gateway.session.Events;
import dev.hawser.gateway.session.NodeInfo;
import dev.hawser.gateway.session.Session;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.JsonCodec;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The methods of the server API, as docs/server-api.md describes them. */
public final class ServerApi {

  private static final Logger log = LoggerFactory.getLogger(ServerApi.class);

  /** All that Centrifugo's API has and a back end may try; older requests call them by number. */
  static final List<String> METHODS =
      List.of(
          "publish",
          "broadcast",
          "unsubscribe",
          "disconnect",
          "presence",
          "presence_stats",
          "history",
          "history_remove",
          "channels",
          "info",
          "rpc",
          "subscribe",
          "refresh");

  private static final int MAX_CHANNELS = 10_000;
  private static final int MAX_COMMANDS = 1_000;

  /** How long a session may take; the caller asks again then. */
  private static final Duration SESSION_TIMEOUT = Duration.ofSeconds(10);

  private static final Duration NODE_TIMEOUT = Duration.ofSeconds(2);

  /** A result, or why there is none. */
  record Answer(Map<String, Object> result, @Nullable ApiException error) {

    /** With the member {@code result} or {@code error}. */
    Map<String, Object> json() {
      return error == null ? Map.of("result", result) : Map.of("error", error.reply());
    }
  }

  private final Events events;
  private final ClusterSharding sharding;
  private final Attachments attachments;
  private final boolean requireJson;

  /**
   * Takes what it works with.
   *
   * @param requireJson whether payloads that are not JSON are refused
   */
  public ServerApi(
      Events events, ClusterSharding sharding, Attachments attachments, boolean requireJson) {
    this.events = events;
    this.sharding = sharding;
    this.attachments = attachments;
    this.requireJson = requireJson;
  }

  /** Calls one of {@link #METHODS}, or any other; the stage never fails. */
  CompletionStage<Answer> call(String method, ApiRequest request) {
    return settled(() -> result(method, request));
  }

  private CompletionStage<Map<String, Object>> result(String method, ApiRequest request) {
    return switch (method) {
      case "publish" -> publish(request);
      case "broadcast" -> broadcast(request);
      case "disconnect" -> disconnect(request);
      case "refresh" -> refresh(request);
      case "info" -> attachments.describeAll(NODE_TIMEOUT).thenApply(ServerApi::nodes);
      case "rpc" ->
          throw request.text("method").isEmpty()
              ? ApiException.bad("method is missing")
              : new ApiException(ErrorCode.METHOD_NOT_FOUND);
      default ->
          throw new ApiException(
              METHODS.contains(method) ? ErrorCode.NOT_AVAILABLE : ErrorCode.METHOD_NOT_FOUND);
    };
  }

  private interface Call {
    CompletionStage<Map<String, Object>> start();
  }

  private static CompletionStage<Answer> settled(Call call) {
    CompletionStage<Map<String, Object>> started;
    try {
      started = call.start();
    } catch (RuntimeException failure) {
      started = CompletableFuture.failedFuture(failure);
    }
    return started.handle(
        (result, failure) ->
            failure == null ? new Answer(result, null) : new Answer(Map.of(), error(failure)));
  }

  private static ApiException error(Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    return switch (cause) {
      case ApiException refused -> refused;
      case IllegalArgumentException wrong -> ApiException.bad(String.valueOf(wrong.getMessage()));
      default -> {
        log.debug("a call failed", cause);
        yield new ApiException(ErrorCode.INTERNAL_SERVER_ERROR);
      }
    };
  }

  // Events.

  private CompletionStage<Map<String, Object>> publish(ApiRequest request) {
    return publish(request.text("channel"), content(request));
  }

  private CompletionStage<Map<String, Object>> broadcast(ApiRequest request) {
    List<String> channels = request.texts("channels");
    if (channels.isEmpty() || channels.size() > MAX_CHANNELS) {
      throw ApiException.bad(
          "channels has %d entries, expected 1 to %d".formatted(channels.size(), MAX_CHANNELS));
    }
    PushEvent content = content(request);
    return all(channels, channel -> settled(() -> publish(channel, content)))
        .thenApply(answers -> Map.of("responses", answers.stream().map(Answer::json).toList()));
  }

  private CompletionStage<Map<String, Object>> publish(String channel, PushEvent content) {
    if (channel.isEmpty()) {
      throw ApiException.bad("channel is missing");
    }
    String user = channel.substring(1);
    if (!channel.equals(Session.personalChannel(user)) || !Identity.isUser(user)) {
      throw new ApiException(ErrorCode.UNKNOWN_CHANNEL);
    }
    return events
        .publish(
            new PushEvent(
                user,
                content.id(),
                content.name(),
                null,
                content.kept(),
                content.tags(),
                content.payload()))
        .thenApply(ServerApi::position);
  }

  private static Map<String, Object> position(StreamPosition position) {
    var result = new LinkedHashMap<String, Object>();
    if (position.offset() != 0) {
      result.put("offset", position.offset());
    }
    result.put("epoch", position.epoch());
    return result;
  }

  /** The event without its user. */
  private PushEvent content(ApiRequest request) {
    if (request.integer("version") != 0) {
      throw new ApiException(ErrorCode.NOT_AVAILABLE, "version");
    }
    Map<String, String> tags = new HashMap<>(request.textsByName("tags"));
    String name = tags.remove("event");
    String tagged = tags.remove("id");
    String key = request.text("idempotency_key");
    if (tagged != null && !key.isEmpty() && !key.equals(tagged)) {
      throw ApiException.bad("tag id is another one than idempotency_key");
    }
    String id = key.isEmpty() ? tagged : key;
    if (tags.containsKey("")) {
      throw ApiException.bad("a tag has no name");
    }
    boolean kept = !request.flag("skip_history");
    return new PushEvent("", id, name, null, kept, tags, payload(request));
  }

  private Payload payload(ApiRequest request) {
    String base64 = request.text("b64data");
    if (!base64.isEmpty()) {
      byte[] bytes;
      try {
        bytes = Base64.getDecoder().decode(base64);
      } catch (IllegalArgumentException notBase64) {
        throw ApiException.bad("b64data is not base64");
      }
      if (requireJson && !JsonCodec.isJson(bytes)) {
        throw ApiException.bad("b64data is not JSON, and hawser.kafka.require-json is on");
      }
      return new Payload(bytes);
    }
    byte[] data = request.raw("data");
    if (data == null) {
      throw ApiException.bad("data is missing");
    }
    return new Payload(withoutNewlines(data));
  }

  /** Within a string JSON has no newline as such. */
  private static byte[] withoutNewlines(byte[] json) {
    byte[] kept = new byte[json.length];
    int length = 0;
    for (byte octet : json) {
      if (octet != '\n' && octet != '\r') {
        kept[length++] = octet;
      }
    }
    return length == json.length ? json : Arrays.copyOf(kept, length);
  }

  // Sessions.

  private CompletionStage<Map<String, Object>> disconnect(ApiRequest request) {
    String user = user(request);
    DisconnectCode code = DisconnectCode.FORCE_DISCONNECT;
    ApiRequest asked = request.object("disconnect");
    String reason = asked.text("reason");
    if (asked.has("code") || !reason.isEmpty()) {
      code =
          new DisconnectCode(
              asked.has("code") ? Math.clamp(asked.integer("code"), 0, 9_999) : code.code(),
              reason.isEmpty() ? code.reason() : reason);
    }
    return disconnect(user, code, request);
  }

  private CompletionStage<Map<String, Object>> refresh(ApiRequest request) {
    String user = user(request);
    if (request.flag("expired")) {
      return disconnect(user, DisconnectCode.CONNECTION_EXPIRED, request);
    }
    long expiresAt = request.integer("expire_at");
    if (expiresAt < 0) {
      throw ApiException.bad("expire_at is " + expiresAt + ", expected Unix seconds");
    }
    return ask(user, request, (only, replyTo) -> new Session.Refresh(expiresAt, only, replyTo));
  }

  private CompletionStage<Map<String, Object>> disconnect(
      String user, DisconnectCode code, ApiRequest request) {
    List<Long> whitelist = request.texts("whitelist").stream().map(ConnectionId::fromText).toList();
    return ask(
        user, request, (only, replyTo) -> new Session.Disconnect(code, only, whitelist, replyTo));
  }

  private static String user(ApiRequest request) {
    String user = request.text("user");
    if (!Identity.isUser(user)) {
      throw ApiException.bad("user is missing, or no user id");
    }
    if (request.has("session")) {
      throw ApiException.bad("session is not known to connections, expected client");
    }
    return user;
  }

  private interface Command {
    Session.Command to(long only, ActorRef<Done> replyTo);
  }

  private CompletionStage<Map<String, Object>> ask(
      String user, ApiRequest request, Command command) {
    String client = request.text("client");
    long only = ConnectionId.fromText(client);
    if (only == 0 && !client.isEmpty()) {
      // Nobody's.
      return CompletableFuture.completedFuture(Map.of());
    }
    return sharding
        .entityRefFor(Session.KEY, user)
        .<Done>ask(replyTo -> command.to(only, replyTo), SESSION_TIMEOUT)
        .thenApply(done -> Map.of());
  }

  // Nodes.

  private static Map<String, Object> nodes(List<NodeInfo> nodes) {
    return Map.of("nodes", nodes.stream().map(ServerApi::node).toList());
  }

  /** Every connection is subscribed to its user's channel. */
  private static Map<String, Object> node(NodeInfo node) {
    var members = new LinkedHashMap<String, Object>();
    members.put("uid", node.uid());
    members.put("name", node.name());
    members.put("version", node.version());
    members.put("num_clients", node.connections());
    members.put("num_users", node.users());
    members.put("num_subs", node.connections());
    members.put("num_channels", node.users());
    members.put("uptime", node.uptime());
    return members;
  }

  // Many at once.

  /** Commands of one method each; the answer has the replies in their order. */
  CompletionStage<Map<String, Object>> batch(ApiRequest request) {
    List<@Nullable ApiRequest> commands = request.objects("commands");
    if (commands.size() > MAX_COMMANDS) {
      throw ApiException.bad(
          "commands has %d entries, expected at most %d".formatted(commands.size(), MAX_COMMANDS));
    }
    Function<@Nullable ApiRequest, CompletionStage<Map<String, Object>>> reply = this::reply;
    return (request.flag("parallel") ? all(commands, reply) : inTurn(commands, reply))
        .thenApply(replies -> Map.of("replies", replies));
  }

  private CompletionStage<Map<String, Object>> reply(@Nullable ApiRequest command) {
    if (command == null) {
      return CompletableFuture.completedFuture(
          Map.of("error", ApiException.bad("a command is null").reply()));
    }
    String method =
        command.names().stream()
            .filter(name -> METHODS.contains(name) && command.has(name))
            .findFirst()
            .orElse("");
    return settled(() -> result(method, command.object(method)))
        .thenApply(
            answer -> answer.error() == null ? Map.of(method, answer.result()) : answer.json());
  }

  /** Older requests, each with the name or the number of its method; they are done in turn. */
  CompletionStage<List<Map<String, Object>>> commands(List<ApiRequest> commands) {
    if (commands.size() > MAX_COMMANDS) {
      throw new IllegalArgumentException("expected at most %d commands".formatted(MAX_COMMANDS));
    }
    return inTurn(commands, this::older);
  }

  private CompletionStage<Map<String, Object>> older(ApiRequest command) {
    long id = command.isNumber("id") ? command.integer("id") : 0;
    return settled(() -> result(olderMethod(command), command.object("params")))
        .thenApply(
            answer -> {
              if (id == 0) {
                return answer.json();
              }
              var reply = new LinkedHashMap<String, Object>();
              reply.put("id", id);
              reply.putAll(answer.json());
              return reply;
            });
  }

  private static String olderMethod(ApiRequest command) {
    if (!command.isNumber("method")) {
      return command.text("method");
    }
    long number = command.integer("method");
    return number >= 0 && number < METHODS.size() ? METHODS.get((int) number) : "";
  }

  private static <T extends @Nullable Object, R> CompletionStage<List<R>> all(
      List<T> calls, Function<T, CompletionStage<R>> call) {
    List<CompletableFuture<R>> started =
        calls.stream().map(each -> call.apply(each).toCompletableFuture()).toList();
    return CompletableFuture.allOf(started.toArray(CompletableFuture<?>[]::new))
        .thenApply(done -> started.stream().map(CompletableFuture::join).toList());
  }

  /** Each begins when the one before it has ended. */
  private static <T extends @Nullable Object, R> CompletionStage<List<R>> inTurn(
      List<T> calls, Function<T, CompletionStage<R>> call) {
    CompletionStage<List<R>> done = CompletableFuture.completedFuture(new ArrayList<>());
    for (T each : calls) {
      done =
          done.thenCompose(
              results ->
                  call.apply(each)
                      .thenApply(
                          result -> {
                            results.add(result);
                            return results;
                          }));
    }
    return done;
  }
}
