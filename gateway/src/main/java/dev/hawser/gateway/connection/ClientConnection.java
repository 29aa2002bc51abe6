package dev.hawser.gateway.connection;

import dev.hawser.gateway.session.EncodedPush;
import dev.hawser.gateway.session.Receiver;
import dev.hawser.gateway.session.Session;
import dev.hawser.protocol.client.ClientCommand;
import dev.hawser.protocol.client.Codec;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.ErrorCode;
import dev.hawser.protocol.client.InappropriatePayloadException;
import dev.hawser.protocol.client.KnownField;
import dev.hawser.protocol.client.MalformedFrameException;
import dev.hawser.protocol.client.Payload;
import dev.hawser.protocol.client.Result;
import dev.hawser.protocol.client.ServerFrame;
import dev.hawser.protocol.client.StreamPosition;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client: the server's side of the client protocol (section 4), whatever transport carries it.
 * Everything runs on the connection's loop, except the {@link Receiver} methods, which the session
 * calls from its own thread and which hop to the loop; that hop keeps the order of the session's
 * calls, so the connect reply always goes out before the first push.
 */
public final class ClientConnection implements Receiver {

  private static final Logger log = LoggerFactory.getLogger(ClientConnection.class);

  private static final ServerFrame PING = new ServerFrame.Ping();
  private static final int MAX_CHANNEL_LENGTH = 255;
  private static final int MAX_WAITING_COMMANDS = 256;

  /** Between two pings: each is a row in PostgreSQL. */
  private static final int MAX_VIEW_CHANGES = 50;

  /** Of the client's name, version, and device, which are kept. */
  private static final int MAX_VERSION_LENGTH = 64;

  private enum State {
    /** Nothing but a connect is welcome. */
    NEW,
    /** The token is being checked, or the session has not answered yet. */
    CONNECTING,
    CONNECTED,
    /** Got an error reply to its connect and is expected to close. */
    REFUSED,
    CLOSED
  }

  private final ConnectionServices services;
  private final ConnectionLoop loop;
  private final Transport transport;
  private final Codec codec;
  private final long id;
  private final Expiry expiry;

  private State state = State.NEW;
  private Identity identity = Identity.ANONYMOUS;
  private boolean attached;
  private boolean awaitingPong;
  private int upstreamInFlight;

  /** Offset of the last event since the last ping, 0 for none. */
  private long written;

  /** Offset of the last event before the last ping: its pong acknowledges it. 0 for none. */
  private long pinged;

  /** Only while connecting. */
  private @Nullable Connecting connecting;

  private String clientVersion = "";

  /** What the client has said that it looks at; null if it never has. */
  private @Nullable Viewing viewing;

  /** How often it looked at something else since the last ping. */
  private byte viewChanges;

  /** Its place in the loop's wheels; {@link TimerWheel} keeps these. */
  @Nullable TimerWheel wheel;

  int wheelSlot;
  int wheelPosition;

  /** Between two of its pings; and whether the next turn is for its pong. The loop keeps these. */
  int pingSeconds;

  boolean pongIsNext;

  /** A connect that is not yet answered, and what came behind it. */
  private static final class Connecting {
    final ClientCommand.Connect command;
    final Deque<ClientCommand> behind = new ArrayDeque<>(0);
    @Nullable Viewing viewing;
    int bytes;

    Connecting(ClientCommand.Connect command) {
      this.command = command;
    }
  }

  /** Call on the loop. The client has the connect timeout to introduce itself. */
  public ClientConnection(
      ConnectionServices services, ConnectionLoop loop, Transport transport, Codec codec) {
    this.services = services;
    this.loop = loop;
    this.transport = transport;
    this.codec = codec;
    this.id = services.ids().next();
    this.expiry = new Expiry(this, loop, services.settings());
    services.admission().handshakeStarted();
    loop.deadline(this, services.settings().connectTimeout());
  }

  /** The id as clients and business services see it. */
  private String clientId() {
    return ConnectionId.toText(id);
  }

  /** One transport frame came in: one or more commands. Call on the loop. */
  public void received(byte[] frame) {
    if (state == State.CLOSED || state == State.REFUSED) {
      return;
    }
    if (connecting != null) {
      connecting.bytes += frame.length;
      if (connecting.bytes > services.settings().maxPendingBytes()) {
        reject(DisconnectCode.BAD_REQUEST, "too much behind connect");
        return;
      }
    }
    try {
      for (ClientCommand command : codec.decodeCommands(frame)) {
        handle(command);
      }
    } catch (MalformedFrameException malformed) {
      reject(DisconnectCode.BAD_REQUEST, malformed.getMessage());
    } catch (RuntimeException failure) {
      fail(failure);
    }
  }

  /** The transport is gone, whoever ended it. Call on the loop, once or more often. */
  public void closed() {
    if (state != State.CLOSED) {
      end(DisconnectCode.CONNECTION_CLOSED);
    }
  }

  /** Ends the connection. Call on the loop. */
  public void close(DisconnectCode code) {
    if (state != State.CLOSED) {
      end(code);
      transport.close(code);
    }
  }

  private void end(DisconnectCode code) {
    boolean wasConnected = state == State.CONNECTED;
    if (!wasConnected) {
      services.admission().handshakeEnded();
    }
    state = State.CLOSED;
    connecting = null;
    loop.forget(this);
    expiry.cancel();
    if (attached) {
      tell(() -> services.sessions().detach(id));
    }
    if (wasConnected) {
      if (viewing != null) {
        tell(() -> services.listener().viewing(identity.user(), viewing, null));
      }
      tell(() -> services.listener().disconnected(identity.user()));
    }
    tell(() -> services.listener().closed(code));
  }

  /** At the end everybody is told, even when one of them fails. */
  private void tell(Runnable call) {
    try {
      call.run();
    } catch (RuntimeException failure) {
      log.error("after the end of {}", clientId(), failure);
    }
  }

  /** Something that must not throw has thrown: this connection cannot go on, others can. */
  void fail(RuntimeException failure) {
    log.error("connection {} failed", clientId(), failure);
    try {
      close(DisconnectCode.INTERNAL_SERVER_ERROR);
    } catch (RuntimeException another) {
      log.error("connection {} cannot be closed", clientId(), another);
    }
  }

  /** On the loop, and this connection fails if the task does. */
  void run(Runnable task) {
    loop.execute(
        () -> {
          try {
            task.run();
          } catch (RuntimeException failure) {
            fail(failure);
          }
        });
  }

  // The session's side.

  @Override
  public void attached(StreamPosition position, boolean recovered) {
    run(() -> onAttached(position, recovered));
  }

  @Override
  public void push(EncodedPush push) {
    byte[] frame;
    try {
      frame = push.in(codec);
    } catch (InappropriatePayloadException notSayable) {
      run(() -> reject(DisconnectCode.INAPPROPRIATE_PROTOCOL, notSayable.getMessage()));
      return;
    }
    run(() -> deliver(frame, push.offset()));
  }

  @Override
  public void refresh(long expiresAt) {
    run(() -> extend(new Identity(identity.user(), expiresAt)));
  }

  @Override
  public void disconnect(DisconnectCode code) {
    run(() -> close(code));
  }

  @Override
  public void passed(long offset) {
    run(
        () -> {
          if (state == State.CONNECTED) {
            written = offset;
          }
        });
  }

  private void deliver(byte[] frame, long offset) {
    if (state == State.CONNECTED && write(frame)) {
      written = offset;
      services.listener().pushed();
    }
  }

  /** A broadcast for everybody who is connected. */
  void broadcast(Broadcast.Writer writer, int messages) {
    if (state != State.CONNECTED) {
      return;
    }
    if (transport.congested()) {
      reject(DisconnectCode.SLOW, "reads too slowly");
      return;
    }
    writer.write(transport, codec);
    for (int i = 0; i < messages; i++) {
      services.listener().pushed();
    }
  }

  // The loop's tick.

  void ping() {
    awaitingPong = true;
    pinged = written;
    written = 0;
    viewChanges = 0;
    write(PING);
    watchExpiry();
  }

  void pongDue() {
    if (awaitingPong) {
      close(DisconnectCode.NO_PONG);
    }
  }

  void deadlinePassed() {
    switch (state) {
      case NEW -> close(DisconnectCode.STALE);
      case CONNECTING ->
          reject(DisconnectCode.INTERNAL_SERVER_ERROR, "the session is not answering");
      case REFUSED -> close(DisconnectCode.BAD_REQUEST);
      case CONNECTED, CLOSED -> loop.forget(this);
    }
  }

  /** A timer is set only in the last ping interval, so that no connection carries one for long. */
  void watchExpiry() {
    if (state == State.CONNECTED) {
      expiry.watch(identity);
    }
  }

  // Commands.

  private void handle(ClientCommand command) {
    switch (state) {
      case NEW -> {
        if (command instanceof ClientCommand.Connect first) {
          onConnect(first);
        } else {
          reject(DisconnectCode.BAD_REQUEST, "expected connect as the first command");
        }
      }
      case CONNECTING -> {
        if (connecting == null
            || command instanceof ClientCommand.Connect
            || connecting.behind.size() == MAX_WAITING_COMMANDS) {
          reject(DisconnectCode.BAD_REQUEST, "connect twice, or too many commands behind it");
        } else {
          connecting.behind.add(command);
        }
      }
      case CONNECTED -> onCommand(command);
      case REFUSED, CLOSED -> {}
    }
  }

  private void onCommand(ClientCommand command) {
    switch (command) {
      case ClientCommand.Pong pong -> onPong();
      case ClientCommand.Connect again -> reject(DisconnectCode.BAD_REQUEST, "connect twice");
      case ClientCommand.Refresh refresh -> onRefresh(refresh);
      case ClientCommand.Publish publish -> onPublish(publish);
      case ClientCommand.Send send -> onSend(send);
      case ClientCommand.Subscribe subscribe -> error(subscribe.id(), subscribeError(subscribe));
      case ClientCommand.Unsubscribe unsubscribe ->
          reply(unsubscribe.id(), new Result.UnsubscribeResult());
      case ClientCommand.SubRefresh refresh -> error(refresh.id(), ErrorCode.PERMISSION_DENIED);
      case ClientCommand.Presence presence -> error(presence.id(), ErrorCode.NOT_AVAILABLE);
      case ClientCommand.PresenceStats stats -> error(stats.id(), ErrorCode.NOT_AVAILABLE);
      case ClientCommand.History history -> error(history.id(), ErrorCode.NOT_AVAILABLE);
      case ClientCommand.Rpc rpc -> onRpc(rpc);
    }
  }

  /** TCP keeps the order: what was written before the ping has arrived before it. */
  private void onPong() {
    awaitingPong = false;
    if (pinged != 0) {
      services.sessions().acknowledge(id, pinged);
      pinged = 0;
    }
  }

  private void onRpc(ClientCommand.Rpc command) {
    switch (command.method()) {
      case "ack" -> onAck(command);
      case "viewing" -> onViewing(command, KnownField.RESOURCE.in(command.data()), null);
      case "idle" -> onViewing(command, null, KnownField.IDLE.in(command.data()));
      default -> error(command.id(), ErrorCode.NOT_AVAILABLE);
    }
  }

  private void onAck(ClientCommand.Rpc command) {
    String offset = KnownField.OFFSET.in(command.data());
    if (offset == null || !offset.matches("\\d{1,18}")) {
      error(command.id(), ErrorCode.BAD_REQUEST);
      return;
    }
    services.sessions().acknowledge(id, Long.parseLong(offset));
    reply(command.id(), new Result.RpcResult(Payload.EMPTY));
  }

  /** One of resource and idle has to be there. */
  private void onViewing(
      ClientCommand.Rpc command, @Nullable String resource, @Nullable String idle) {
    Viewing next =
        resource == null && idle == null
            ? null
            : Objects.requireNonNullElse(viewing, Viewing.NOTHING).with(resource, idle);
    if (next == null) {
      error(command.id(), ErrorCode.BAD_REQUEST);
    } else if (viewChanges == MAX_VIEW_CHANGES) {
      error(command.id(), ErrorCode.TOO_MANY_REQUESTS);
    } else {
      viewChanges++;
      view(next);
      reply(command.id(), new Result.RpcResult(Payload.EMPTY));
    }
  }

  private void view(Viewing next) {
    if (!next.equals(viewing)) {
      services.listener().viewing(identity.user(), viewing, next);
      viewing = next;
    }
  }

  private void onConnect(ClientCommand.Connect command) {
    state = State.CONNECTING;
    connecting = new Connecting(command);
    clientVersion = cut(command.name()) + "/" + cut(command.version());
    String resource = KnownField.VIEWING.in(command.data());
    String idle = KnownField.IDLE.in(command.data());
    if (resource != null || idle != null) {
      connecting.viewing = Viewing.NOTHING.with(resource, idle);
      if (connecting.viewing == null) {
        refuse(ErrorCode.BAD_REQUEST);
        return;
      }
    }
    var unused =
        services
            .authenticator()
            .authenticate(command.token())
            .whenComplete(
                (authenticated, failure) -> run(() -> onAuthenticated(authenticated, failure)));
  }

  private void onAuthenticated(@Nullable Identity authenticated, @Nullable Throwable failure) {
    if (state != State.CONNECTING) {
      return;
    }
    if (authenticated == null) {
      var refusal = AuthenticationException.of(failure);
      switch (refusal.reason()) {
        case MISSING -> refuse(ErrorCode.UNAUTHORIZED);
        case EXPIRED -> refuse(ErrorCode.TOKEN_EXPIRED);
        case UNAVAILABLE -> refuse(ErrorCode.INTERNAL_SERVER_ERROR);
        case INVALID -> reject(DisconnectCode.INVALID_TOKEN, refusal.getMessage());
      }
      return;
    }
    identity = authenticated;
    Connecting attaching = connecting;
    if (identity.anonymous() || attaching == null) {
      onAttached(StreamPosition.START, false);
    } else {
      attached = true;
      StreamPosition since = attaching.command.subs().get(personalChannel());
      String device = KnownField.DEVICE.in(attaching.command.data());
      services
          .sessions()
          .attach(identity.user(), id, device == null ? "" : cut(device), since, this);
    }
  }

  private void onAttached(StreamPosition position, boolean recovered) {
    Connecting answered = connecting;
    if (state != State.CONNECTING || answered == null) {
      return;
    }
    state = State.CONNECTED;
    connecting = null;
    services.admission().handshakeEnded();
    services.listener().connected(identity.user());
    if (answered.viewing != null) {
      view(answered.viewing);
    }
    int interval = loop.heartbeat(this);
    Map<String, Result.SubscribeResult> subscriptions =
        identity.anonymous()
            ? Map.of()
            : Map.of(personalChannel(), subscription(answered.command, position, recovered));
    var result =
        Result.ConnectResult.of(clientId(), services.version(), interval, true, subscriptions);
    reply(
        answered.command.id(),
        identity.expiresAt() == 0 ? result : result.expiringIn(Expiry.secondsTo(identity)));
    watchExpiry();
    answered.behind.forEach(this::handle);
  }

  /** What the client missed follows as pushes: they take the same way as all others. */
  private Result.SubscribeResult subscription(
      ClientCommand.Connect command, StreamPosition position, boolean recovered) {
    if (!command.subs().containsKey(personalChannel())) {
      return Result.SubscribeResult.positioned(position);
    }
    return recovered
        ? Result.SubscribeResult.recovered(position, List.of())
        : Result.SubscribeResult.unrecovered(position);
  }

  private void onRefresh(ClientCommand.Refresh command) {
    var unused =
        services
            .authenticator()
            .authenticate(command.token())
            .whenComplete(
                (refreshed, failure) -> run(() -> onRefreshed(command.id(), refreshed, failure)));
  }

  private void onRefreshed(
      int commandId, @Nullable Identity refreshed, @Nullable Throwable failure) {
    if (state != State.CONNECTED) {
      return;
    }
    if (refreshed == null) {
      var refusal = AuthenticationException.of(failure);
      switch (refusal.reason()) {
        case EXPIRED -> close(DisconnectCode.CONNECTION_EXPIRED);
        case UNAVAILABLE -> error(commandId, ErrorCode.INTERNAL_SERVER_ERROR);
        case MISSING, INVALID -> reject(DisconnectCode.INVALID_TOKEN, refusal.getMessage());
      }
    } else if (!refreshed.user().equals(identity.user())) {
      reject(DisconnectCode.INVALID_TOKEN, "refresh with another user's token");
    } else {
      extend(refreshed);
      boolean expires = identity.expiresAt() != 0;
      reply(
          commandId,
          new Result.RefreshResult(
              clientId(), services.version(), expires, expires ? Expiry.secondsTo(identity) : 0));
    }
  }

  private void extend(Identity refreshed) {
    identity = refreshed;
    expiry.cancel();
    watchExpiry();
  }

  private void onPublish(ClientCommand.Publish command) {
    if (command.channel().isEmpty()) {
      reject(DisconnectCode.BAD_REQUEST, "publish without a channel");
    } else if (command.data().isEmpty() || command.channel().length() > MAX_CHANNEL_LENGTH) {
      error(command.id(), ErrorCode.BAD_REQUEST);
    } else if (command.type() != 0) {
      error(command.id(), ErrorCode.NOT_AVAILABLE);
    } else if (!isPersonal(command.channel())) {
      error(command.id(), channelError(command.channel()));
    } else {
      sendUpstream("publish", command.data(), command.id());
    }
  }

  private void onSend(ClientCommand.Send command) {
    sendUpstream("send", command.data(), 0);
  }

  /** A command id of 0 is never answered. */
  private void sendUpstream(String event, Payload data, int commandId) {
    if (upstreamInFlight == services.settings().maxUpstreamInFlight()) {
      if (commandId == 0) {
        reject(DisconnectCode.TOO_MANY_REQUESTS, "sends faster than Kafka takes it");
      } else {
        error(commandId, ErrorCode.TOO_MANY_REQUESTS);
      }
      return;
    }
    upstreamInFlight++;
    var message = new Upstream.Message(identity.user(), clientId(), clientVersion, event, data);
    var unused =
        services
            .upstream()
            .send(message)
            .whenComplete((done, failure) -> run(() -> onUpstreamDone(commandId, failure)));
  }

  private void onUpstreamDone(int commandId, @Nullable Throwable failure) {
    upstreamInFlight--;
    if (commandId == 0 || state != State.CONNECTED) {
      return;
    }
    if (failure == null) {
      reply(commandId, new Result.PublishResult());
    } else {
      error(commandId, ErrorCode.INTERNAL_SERVER_ERROR);
    }
  }

  private ErrorCode subscribeError(ClientCommand.Subscribe command) {
    if (command.channel().length() > MAX_CHANNEL_LENGTH) {
      return ErrorCode.BAD_REQUEST;
    }
    return isPersonal(command.channel())
        ? ErrorCode.ALREADY_SUBSCRIBED
        : channelError(command.channel());
  }

  /** Another user's personal stream is nobody else's; other channels are not served yet. */
  private static ErrorCode channelError(String channel) {
    return channel.startsWith("#") ? ErrorCode.PERMISSION_DENIED : ErrorCode.NOT_AVAILABLE;
  }

  private String personalChannel() {
    return Session.personalChannel(identity.user());
  }

  private boolean isPersonal(String channel) {
    return !identity.anonymous() && channel.equals(personalChannel());
  }

  // Answers.

  private void reply(int commandId, Result result) {
    write(new ServerFrame.Reply(commandId, result));
  }

  private void error(int commandId, ErrorCode code) {
    write(new ServerFrame.ErrorReply(commandId, code));
  }

  private void write(ServerFrame frame) {
    var unused = write(codec.encode(frame));
  }

  /** Replies count like pushes: a client that asks and asks and never reads is slow, too. */
  private boolean write(byte[] frame) {
    if (transport.congested()) {
      reject(DisconnectCode.SLOW, "reads too slowly");
      return false;
    }
    transport.write(frame);
    return true;
  }

  /** An error reply to connect: the client closes by itself, or is closed a little later. */
  private void refuse(ErrorCode code) {
    Connecting refused = connecting;
    state = State.REFUSED;
    connecting = null;
    loop.deadline(this, services.settings().refusedLinger());
    if (refused != null) {
      error(refused.command.id(), code);
    }
  }

  private void reject(DisconnectCode code, @Nullable String why) {
    if (state != State.CLOSED) {
      log.info("closing {} with {} {}: {}", clientId(), code.code(), code.reason(), why);
      close(code);
    }
  }

  private static String cut(String text) {
    return text.length() > MAX_VERSION_LENGTH ? text.substring(0, MAX_VERSION_LENGTH) : text;
  }
}
