package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.gateway.stream.StreamLog;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.Publication;
import dev.hawser.protocol.client.ServerFrame;
import dev.hawser.protocol.client.StreamPosition;
import dev.hawser.protocol.event.PushEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Signal;
import org.apache.pekko.actor.typed.javadsl.AbstractMatchingBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.sharding.ShardCoordinator.ShardAllocationStrategy;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;
import org.jspecify.annotations.Nullable;

/**
 * The one owner of a user's connections in the whole cluster. A sharded entity whose id is the user
 * id: it lives while the user has connections, and while there are recent events.
 *
 * <p>When the session moves, or dies with its node, its connections attach again with the position
 * they have, and the recent past is fed again from Kafka. So nothing is kept anywhere else.
 */
public final class Session extends AbstractMatchingBehavior<Session.Command> {

  /** What a session takes; what comes from other nodes has a form in {@link SessionSerializer}. */
  public sealed interface Command {}

  /**
   * A connection of this user wants in. The outbox answers: attached, or disconnected.
   *
   * @param since what the connection has of the stream; null if it comes for the first time
   * @param acknowledged up to where the client has it for sure; 0 if that is not known
   */
  record Attach(@Nullable StreamPosition since, long acknowledged, Outbox outbox)
      implements Command {}

  /** A client has everything up to this offset. */
  record Acknowledge(long connectionId, long offset) implements Command {}

  /** A connection is gone; one that is unknown, or gone already, does no harm. */
  record Detach(long connectionId) implements Command {}

  /**
   * An event for all of the user's connections but the excluded one. One that was pushed before is
   * only acknowledged.
   *
   * @param offset its place in the user's stream, rising
   * @param excluded connection id, 0 for none
   * @param generation {@link Feeds#started}
   * @param replyTo told when the event was handed to every connection
   */
  public record Push(
      PushEvent event, long offset, long excluded, long generation, ActorRef<Done> replyTo)
      implements Command {}

  /**
   * Events up to this offset are about to be forgotten by Kafka's consumers: those that a device
   * has not acknowledged have to be kept.
   *
   * @param replyTo told when they are; not told while PostgreSQL is away
   */
  public record Secure(long upTo, ActorRef<Done> replyTo) implements Command {}

  /**
   * An event that comes without Kafka, for all of the user's connections. One that was published
   * before, going by its id, is only answered.
   *
   * @param replyTo told its place in the stream
   */
  public record Publish(PushEvent event, ActorRef<Published> replyTo) implements Command {}

  /** The answer to {@link Publish}. */
  public record Published(StreamPosition position) {}

  /**
   * Ends connections of this user.
   *
   * @param only a connection id, 0 for all
   * @param except connection ids
   */
  public record Disconnect(
      DisconnectCode code, long only, List<Long> except, ActorRef<Done> replyTo)
      implements Command {}

  /**
   * Connections of this user expire at another time now.
   *
   * @param expiresAt Unix seconds, 0 for never
   * @param only a connection id, 0 for all
   */
  public record Refresh(long expiresAt, long only, ActorRef<Done> replyTo) implements Command {}

  /** Is the shard on this node? Answered if it is. */
  record Locate(UniqueAddress node, ActorRef<Done> replyTo) implements Command {}

  /** {@link LastOffsets#of}; null if it is not known. */
  private record PastTold(LastOffsets.@Nullable Past past) implements Command {}

  /** The same, for what is to be kept. */
  private record LastTold(Secure request, LastOffsets.@Nullable Past past) implements Command {}

  /** What the mailbox has; null if it does not answer. */
  private record MailTold(@Nullable MailboxState state) implements Command {}

  /** The same, for what is to be kept. */
  private record DevicesTold(Secure request, @Nullable MailboxState state) implements Command {}

  /**
   * The mailbox has what it was to keep for some devices, or has not.
   *
   * @param left those it has it for; null if it does not answer
   */
  private record Secured(Secure request, Acknowledgements devices, @Nullable Acknowledgements left)
      implements Command {}

  private enum Timer implements Command {
    /** The shard is fed now. */
    FED,
    IDLE,
    OVERDUE,
    /** To ask again for what was not told. */
    PAST,
    /** The mailbox has ended. */
    MAILBOX_ENDED
  }

  /** What is known about events that are not in the log; once all is known, nobody asks again. */
  private enum Past {
    UNKNOWN,
    ASKED,
    KNOWN
  }

  private enum Stop implements Command {
    INSTANCE
  }

  /** Name of sessions in cluster sharding. */
  public static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "Session");

  /** Which nodes have sessions. */
  private static final String GATEWAY_ROLE = "gateway";

  /** How long a client waits until it is known what it missed; then it is told: unknown. */
  private static final Duration RECOVERY_PATIENCE = Duration.ofSeconds(8);

  /** How long one waits that has missed nothing. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  /** Ends the epoch of a position that says nothing about what was before it. */
  private static final String UNPROVEN = "?";

  private static final Duration MAILBOX_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration PAST_INTERVAL = Duration.ofSeconds(5);

  /** An attach that comes before it is known what the client missed. */
  private record Waiting(Attach attach, long until) {}

  /** What all sessions of a node share. */
  private record Node(
      UniqueAddress address,
      Feeds feeds,
      Nodes nodes,
      @Nullable LastOffsets lastOffsets,
      SessionSettings settings) {}

  private final String user;
  private final int shard;
  private final Node node;
  private final ActorRef<ClusterSharding.ShardCommand> shardRef;
  private final SessionState state;
  private final StreamLog log;
  private final String epoch;
  private @Nullable List<Waiting> waiting;
  private boolean idleTimer;

  /** It has asked to be ended: an event that it took now would be lost with it. */
  private boolean leaving;

  private Past past = Past.UNKNOWN;

  /** Whether the mailbox has, or had, something: the log may forget that again. */
  private boolean mail;

  /** Whether it was asked what the user's last event was before those of the log. */
  private boolean lastAsked;

  /** Whether it is known which devices the user has: of those that are away the mailbox knows. */
  private boolean devicesKnown;

  /**
   * Connections that were answered before it was told what their client has missed, and what they
   * have acknowledged since: it counts only if they have missed nothing. Few.
   */
  private Map<Long, Long> unsure = Map.of();

  private Acknowledgements acknowledged = Acknowledgements.NONE;
  private @Nullable ActorRef<Mailbox.Command> mailbox;

  /**
   * Lets this node host sessions.
   *
   * @param lastOffsets what is known about users who had no event for long; null for nothing
   * @param strategy which node gets which shard; null to leave it to sharding
   */
  public static void init(
      ClusterSharding sharding,
      Cluster cluster,
      SessionSettings settings,
      Feeds feeds,
      @Nullable LastOffsets lastOffsets,
      Nodes nodes,
      @Nullable ShardAllocationStrategy strategy) {
    var node = new Node(cluster.selfMember().uniqueAddress(), feeds, nodes, lastOffsets, settings);
    var entity =
        Entity.of(
                KEY,
                context ->
                    Shards.isShardItself(context.getEntityId())
                        ? shardItself(node.address())
                        : Behaviors.setup(
                            actor ->
                                new Session(
                                    actor, context.getEntityId(), context.getShard(), node)))
            .withMessageExtractor(new Shards(feeds.shards()))
            .withRole(GATEWAY_ROLE)
            .withStopMessage(Stop.INSTANCE);
    sharding.init(strategy == null ? entity : entity.withAllocationStrategy(strategy));
  }

  /** Nobody's session: tells where its shard is. */
  private static Behavior<Command> shardItself(UniqueAddress here) {
    return Behaviors.receiveMessage(
        command -> {
          if (command instanceof Locate locate && locate.node().equals(here)) {
            locate.replyTo().tell(Done.getInstance());
          }
          return command == Stop.INSTANCE ? Behaviors.stopped() : Behaviors.same();
        });
  }

  /** Completes with whether a shard's sessions are on this node, starting it if it is nowhere. */
  public static CompletionStage<Boolean> isHere(
      ActorSystem<?> system, int shard, Duration patience) {
    var here = Cluster.get(system).selfMember().uniqueAddress();
    return ClusterSharding.get(system)
        .entityRefFor(KEY, Shards.itself(shard))
        .<Done>ask(replyTo -> new Locate(here, replyTo), patience)
        .handle((answered, silent) -> silent == null);
  }

  /** What a user's mailbox is called in the journal. */
  public static String mailboxId(String user) {
    return Mailbox.persistenceId(user);
  }

  /** The user's own stream, which every connection of the user is subscribed to. */
  public static String personalChannel(String user) {
    return "#" + user;
  }

  private Session(
      ActorContext<Command> context,
      String user,
      ActorRef<ClusterSharding.ShardCommand> shardRef,
      Node node) {
    super(context);
    this.user = user;
    this.shard = Shards.of(user, node.feeds().shards());
    this.node = node;
    this.shardRef = shardRef;
    this.state = new SessionState(node.settings().devices());
    this.log = new StreamLog(node.settings().recovery());
    if (node.settings().mailbox().isEmpty()) {
      log.secured(Long.MAX_VALUE);
    }
    String topic = node.feeds().epoch();
    this.epoch = topic.isEmpty() ? Long.toHexString(ThreadLocalRandom.current().nextLong()) : topic;
    adjustIdleTimer();
  }

  @Override
  public Behavior<Command> onMessage(Command command) {
    switch (command) {
      case Attach attach -> onAttach(attach);
      case Detach detach -> onDetach(detach);
      case Push push -> onPush(push);
      case Acknowledge acknowledge -> onAcknowledge(acknowledge);
      case Secure secure -> onSecure(secure);
      case Secured secured -> onSecured(secured);
      case PastTold told -> onPastTold(told.past());
      case LastTold told -> onLastTold(told);
      case DevicesTold told -> onDevicesTold(told);
      case MailTold told -> onMailTold(told.state());
      case Publish publish -> onPublish(publish);
      case Disconnect disconnect -> onDisconnect(disconnect);
      case Refresh refresh -> onRefresh(refresh);
      case Timer timer -> onTimer(timer);
      case Locate locate -> {}
      case Stop stop -> {
        return Behaviors.stopped();
      }
    }
    adjustIdleTimer();
    return this;
  }

  /** However the session ends, no connection is left behind. */
  @Override
  public Behavior<Command> onSignal(Signal signal) {
    if (signal instanceof PostStop) {
      node.feeds().forgot(shard, log.top());
      if (!log.isSecured()) {
        // The next session would not know of them, and would let them be committed.
        node.feeds().lost(shard);
      }
      state.connections().forEach(Outbox::released);
      if (waiting != null) {
        waiting.forEach(each -> each.attach().outbox().released());
      }
    }
    return this;
  }

  private void onAttach(Attach attach) {
    state.prune(node.nodes());
    Duration patience = attach.since() == null ? PATIENCE : RECOVERY_PATIENCE;
    attachOrWait(new Waiting(attach, Attachments.now() + patience.toMillis()));
  }

  private void attachOrWait(Waiting comer) {
    boolean fed = isFed();
    if (fed && !needsPast(comer.attach())) {
      attach(comer.attach());
      return;
    }
    if (waiting == null) {
      waiting = new ArrayList<>(1);
      scheduleOverdue();
      if (!fed) {
        getContext().pipeToSelf(node.feeds().start(shard), (start, failure) -> Timer.FED);
      }
    }
    waiting.add(new Waiting(comer.attach(), Math.min(comer.until(), takeWaiting(comer))));
    if (fed) {
      askForPast();
    }
  }

  /** An attach that is repeated takes the place of the one before, and waits no longer. */
  private long takeWaiting(Waiting comer) {
    List<Waiting> comers = waiting == null ? List.of() : waiting;
    for (Waiting known : comers) {
      if (known.attach().outbox().id() == comer.attach().outbox().id()) {
        comers.remove(known);
        return known.until();
      }
    }
    return comer.until();
  }

  /** Whether PostgreSQL may tell more than the log about what the client has missed. */
  private boolean needsPast(Attach attach) {
    if (node.lastOffsets() == null || past == Past.KNOWN) {
      return false;
    }
    StreamPosition since = since(attach);
    if (since == null) {
      return node.settings().mailbox().isPresent()
          && !(devicesKnown && log.covers(acknowledged.of(attach.outbox().device())));
    }
    return !log.covers(since.offset());
  }

  private void askForPast() {
    LastOffsets lastOffsets = node.lastOffsets();
    if (past == Past.UNKNOWN && lastOffsets != null) {
      past = Past.ASKED;
      getContext().pipeToSelf(lastOffsets.of(shard, user), (told, failure) -> new PastTold(told));
    }
  }

  private void onPastTold(LastOffsets.@Nullable Past told) {
    if (told == null) {
      pastIsUnknown();
      return;
    }
    nothingBackTo(told.last());
    if (told.mail() && node.settings().mailbox().isPresent()) {
      getContext()
          .ask(
              MailboxState.class,
              mailbox(),
              MAILBOX_TIMEOUT,
              Mailbox.Load::new,
              (state, failure) -> new MailTold(state));
    } else {
      devicesKnown = true;
      pastIsKnown();
    }
  }

  /** There was no event between the user's last one that is durable and those of the log. */
  private void nothingBackTo(long last) {
    lastAsked = true;
    if (isFed() && node.feeds().completeSince(shard) <= node.feeds().kept(shard)) {
      log.nothingBackTo(last);
    }
  }

  private void onMailTold(@Nullable MailboxState state) {
    if (state == null) {
      pastIsUnknown();
      return;
    }
    knowDevices(state);
    if (state.epoch().equals(epoch)) {
      log.restore(state.events(), state.since(), state.upTo(), Attachments.now());
      if (!state.isEmpty()) {
        mail = true;
        sendUnsureAway();
      }
    }
    pastIsKnown();
  }

  /** If they come again they get all in order. */
  private void sendUnsureAway() {
    for (long id : unsure.keySet()) {
      connections(id).forEach(each -> each.disconnect(DisconnectCode.INSUFFICIENT_STATE));
      state.detach(id);
    }
    unsure = Map.of();
  }

  private void knowDevices(MailboxState state) {
    devicesKnown = true;
    if (state.epoch().equals(epoch)) {
      acknowledged = acknowledged.and(state.acknowledged());
    }
  }

  private void pastIsKnown() {
    past = Past.KNOWN;
    Map<Long, Long> sure = unsure;
    unsure = Map.of();
    sure.forEach((id, offset) -> onAcknowledge(new Acknowledge(id, offset)));
    answerWaiting(Long.MAX_VALUE);
    if (mail) {
      past = Past.UNKNOWN;
    }
  }

  /** PostgreSQL is away: nobody waits longer for it, but it is asked again. */
  private void pastIsUnknown() {
    past = Past.UNKNOWN;
    answerWaiting(Long.MAX_VALUE);
    var unused = getContext().scheduleOnce(PAST_INTERVAL, getContext().getSelf(), Timer.PAST);
  }

  private ActorRef<Mailbox.Command> mailbox() {
    ActorRef<Mailbox.Command> running = mailbox;
    if (running == null) {
      var limits = node.settings().mailbox().orElseThrow();
      running = getContext().spawnAnonymous(Mailbox.create(user, limits));
      getContext().watchWith(running, Timer.MAILBOX_ENDED);
      mailbox = running;
    }
    return running;
  }

  /** Whether it is known from where on the log has everything. */
  private boolean isFed() {
    if (!log.isFed()) {
      long since = node.feeds().completeSince(shard);
      if (since != Feeds.NOT_FED) {
        log.completeSince(since);
      }
    }
    return log.isFed();
  }

  /** What the client has of this stream; null if its position says nothing about it. */
  private @Nullable StreamPosition since(Attach attach) {
    StreamPosition since = attach.since();
    return since == null || !since.epoch().equals(epoch) || isAhead(since.offset()) ? null : since;
  }

  /** Whether nobody can have so much: Kafka has lost the end of the stream, or it is made up. */
  private boolean isAhead(long offset) {
    return node.feeds().reached(shard) != Feeds.NOT_FED && offset > present();
  }

  private void attach(Attach attach) {
    var outbox = attach.outbox();
    if (outbox instanceof Attachment here && here.isClosed()) {
      // It said goodbye before this came.
      return;
    }
    if (needsPast(attach)) {
      unsure = new HashMap<>(unsure);
      unsure.put(outbox.id(), 0L);
    }
    StreamPosition since = since(attach);
    StreamPosition covered = since != null && log.covers(since.offset()) ? since : null;
    Outbox kept =
        covered != null && outbox instanceof RemoteOutbox remote
            ? remote.having(covered.offset())
            : outbox;
    var excess = state.attach(kept, node.nodes());
    if (excess != null) {
      boolean rejected = excess.id() == outbox.id();
      // Its place may be taken by its own last connection, on a node that has just died.
      boolean mayFindRoom = rejected && attach.since() != null && state.hasRemote();
      excess.disconnect(
          mayFindRoom ? DisconnectCode.FORCE_RECONNECT : DisconnectCode.CONNECTION_LIMIT);
      if (rejected) {
        return;
      }
    }
    acknowledge(outbox.device(), since == null ? 0 : attach.acknowledged());
    if (covered != null) {
      answer(outbox, covered, true, log.since(covered.offset()));
    } else {
      begin(attach);
    }
  }

  /** For a client whose position says nothing: what its device has not acknowledged, or nothing. */
  private void begin(Attach attach) {
    Outbox outbox = attach.outbox();
    boolean hasMailbox = node.settings().mailbox().isPresent();
    long known = acknowledged.of(outbox.device());
    List<StreamEvent> news = hasMailbox ? log.since(known) : List.<StreamEvent>of();
    long offset;
    if (!news.isEmpty()) {
      offset = news.getFirst().offset() - 1;
    } else if (hasMailbox && isFed() && !node.feeds().isPresent(shard)) {
      // What is told again of the recent past is news, too.
      offset = Math.max(known, Math.max(log.top(), log.border()));
    } else {
      offset = present();
    }
    // Who comes back with a position that proves nothing begins once more.
    String stream = unsure.containsKey(outbox.id()) ? epoch + UNPROVEN : epoch;
    answer(outbox, new StreamPosition(offset, stream), false, news);
  }

  private void answer(
      Outbox outbox, StreamPosition position, boolean recovered, List<StreamEvent> missed) {
    outbox.attached(node.address(), position, recovered);
    long previous = position.offset();
    for (StreamEvent event : missed) {
      outbox.push(event, encode(event), previous);
      previous = event.offset();
    }
    if (previous < log.top()) {
      // What was between is not kept: not a hole that could be filled.
      outbox.nothing(previous, log.top());
    }
  }

  private long present() {
    return Math.max(log.top(), node.feeds().present(shard));
  }

  private void onAcknowledge(Acknowledge acknowledge) {
    if (unsure.containsKey(acknowledge.connectionId())) {
      unsure.merge(acknowledge.connectionId(), acknowledge.offset(), Math::max);
      return;
    }
    for (Outbox connection : state.connections()) {
      if (connection.id() == acknowledge.connectionId()) {
        acknowledge(connection.device(), acknowledge.offset());
      }
    }
  }

  private void acknowledge(String device, long offset) {
    boolean introduced = !device.isEmpty() && !acknowledged.knows(device);
    if (offset > 0 || introduced) {
      acknowledged = acknowledged.and(device, offset);
      if (devicesKnown) {
        // No mailbox needs it, even if PostgreSQL is away and nobody asks to secure it.
        log.secured(acknowledged.ofAll());
      }
    }
    if (introduced && node.settings().mailbox().isPresent()) {
      mailbox().tell(new Mailbox.Acknowledge(epoch, device, offset));
    } else if (mailbox != null && offset > 0) {
      mailbox.tell(new Mailbox.Acknowledge(epoch, device, offset));
    }
  }

  private void onSecure(Secure secure) {
    if (!isLocal(secure.replyTo()) || secure.upTo() > node.feeds().reached(shard)) {
      // From one that had the partition before: not all of these events have come here yet.
      return;
    }
    LastOffsets lastOffsets = node.lastOffsets();
    if (lastOffsets != null
        && node.settings().mailbox().isPresent()
        && !(lastAsked && devicesKnown)) {
      // The offsets of these events are kept next, and then nobody knows any more what was before;
      // and a session that began after a device had gone does not know whom to keep them for.
      getContext()
          .pipeToSelf(lastOffsets.of(shard, user), (told, failure) -> new LastTold(secure, told));
      return;
    }
    long all = acknowledged.ofAll();
    List<StreamEvent> unseen = new ArrayList<>();
    long since = isFed() ? Math.min(log.border(), secure.upTo()) : secure.upTo();
    for (StreamEvent event : log.since(0)) {
      if (event.offset() > secure.upTo()) {
        break;
      }
      if (event.offset() > all && event.event().kept()) {
        unseen.add(event);
      } else {
        since = event.offset();
      }
    }
    if (unseen.isEmpty() || node.settings().mailbox().isEmpty()) {
      secured(secure);
      return;
    }
    long complete = since;
    Acknowledgements devices = acknowledged;
    getContext()
        .ask(
            Acknowledgements.class,
            mailbox(),
            MAILBOX_TIMEOUT,
            replyTo -> new Mailbox.Keep(epoch, unseen, complete, secure.upTo(), devices, replyTo),
            (left, failure) -> new Secured(secure, devices, left));
  }

  /** If it is not told now, it is asked again with the next request. */
  private void onLastTold(LastTold told) {
    LastOffsets.Past past = told.past();
    if (past == null) {
      return;
    }
    nothingBackTo(past.last());
    if (past.mail() && !devicesKnown) {
      getContext()
          .ask(
              MailboxState.class,
              mailbox(),
              MAILBOX_TIMEOUT,
              Mailbox.Load::new,
              (state, failure) -> new DevicesTold(told.request(), state));
    } else {
      devicesKnown = true;
      onSecure(told.request());
    }
  }

  private void onDevicesTold(DevicesTold told) {
    if (told.state() != null) {
      knowDevices(told.state());
      onSecure(told.request());
    }
  }

  /** The mailbox has it, so the log may forget it: the next client has to ask the mailbox. */
  private void onSecured(Secured answer) {
    Acknowledgements left = answer.left();
    if (left != null) {
      answer
          .devices()
          .byDevice()
          .forEach(
              (device, offset) -> {
                if (!left.knows(device)) {
                  acknowledged = acknowledged.without(device, offset);
                }
              });
      mail = true;
      past = past == Past.KNOWN ? Past.UNKNOWN : past;
      secured(answer.request());
    }
  }

  private void secured(Secure request) {
    log.secured(request.upTo());
    tellRemoteTop();
    request.replyTo().tell(Done.getInstance());
  }

  /** Answers those that do not want to wait any longer with what is known. */
  private void answerWaiting(long until) {
    List<Waiting> comers = waiting;
    if (comers == null) {
      return;
    }
    waiting = null;
    for (Waiting comer : comers) {
      if (comer.until() <= until) {
        attach(comer.attach());
      } else {
        waiting = waiting == null ? new ArrayList<>(1) : waiting;
        waiting.add(comer);
      }
    }
  }

  private void scheduleOverdue() {
    var unused =
        getContext().scheduleOnce(Duration.ofSeconds(1), getContext().getSelf(), Timer.OVERDUE);
  }

  private void onDetach(Detach detach) {
    state.detach(detach.connectionId());
    if (!unsure.isEmpty()) {
      unsure.remove(detach.connectionId());
    }
    if (waiting != null) {
      waiting.removeIf(each -> each.attach().outbox().id() == detach.connectionId());
    }
  }

  private void onPush(Push push) {
    if (push.generation() != node.feeds().generation(shard)) {
      // From one that had the partition before, here or elsewhere: it is ahead of what is fed now.
      return;
    }
    if (leaving) {
      // It comes again, to the next session.
      return;
    }
    append(new StreamEvent(push.event(), push.offset(), push.excluded()));
    push.replyTo().tell(Done.getInstance());
  }

  private static boolean isLocal(ActorRef<Done> sender) {
    return sender.path().address().hasLocalScope();
  }

  private void onPublish(Publish publish) {
    long known = log.offsetOf(publish.event().id());
    long offset = known == 0 ? log.top() + 1 : known;
    append(new StreamEvent(publish.event(), offset, 0));
    publish.replyTo().tell(new Published(new StreamPosition(offset, epoch)));
  }

  private void append(StreamEvent event) {
    long previous = log.top();
    if (log.append(event, Attachments.now())) {
      pushToAll(event, previous);
    }
  }

  private void onDisconnect(Disconnect disconnect) {
    connections(disconnect.only())
        .filter(connection -> !disconnect.except().contains(connection.id()))
        .forEach(connection -> connection.disconnect(disconnect.code()));
    disconnect.replyTo().tell(Done.getInstance());
  }

  private void onRefresh(Refresh refresh) {
    connections(refresh.only()).forEach(connection -> connection.refresh(refresh.expiresAt()));
    refresh.replyTo().tell(Done.getInstance());
  }

  /** Those that wait for their answer, too. */
  private Stream<Outbox> connections(long only) {
    var attached = state.connections().stream();
    return (waiting == null
            ? attached
            : Stream.concat(attached, waiting.stream().map(each -> each.attach().outbox())))
        .filter(connection -> only == 0 || connection.id() == only);
  }

  private void pushToAll(StreamEvent event, long previous) {
    List<Outbox> connections = state.connections();
    EncodedPush encoded = encode(event);
    for (Outbox connection : connections) {
      if (connection instanceof Attachment here) {
        here.push(event, encoded, previous);
      }
    }
    tellEdges(event.offset(), together -> new Edge.Deliver(together, event, previous));
  }

  /**
   * A message to another node may get lost, and if it was the last one, no other shows the hole.
   * What the connections lack is still in the log, or in the mailbox.
   */
  private void tellRemoteTop() {
    tellEdges(log.top(), together -> new Edge.Nothing(together, log.top(), log.top()));
  }

  /**
   * What goes to several connections on another node goes there once.
   *
   * @param offset of what is told: those that had it when they came are left out
   */
  private void tellEdges(long offset, Function<long[], Edge.Message> message) {
    List<RemoteOutbox> remotes = new ArrayList<>(0);
    for (Outbox connection : state.connections()) {
      if (connection instanceof RemoteOutbox remote && remote.has() < offset) {
        remotes.add(remote);
      }
    }
    for (int i = 0; i < remotes.size(); i++) {
      RemoteOutbox remote = remotes.get(i);
      if (remotes.subList(0, i).stream().noneMatch(remote::sharesEdgeWith)) {
        long[] together =
            remotes.stream().filter(remote::sharesEdgeWith).mapToLong(Outbox::id).toArray();
        remote.edge().tell(message.apply(together));
      }
    }
  }

  private void onTimer(Timer timer) {
    switch (timer) {
      case FED -> {
        List<Waiting> comers = waiting;
        waiting = null;
        if (comers != null) {
          comers.forEach(this::attachOrWait);
        }
        if (!unsure.isEmpty()) {
          askForPast();
        }
      }
      case OVERDUE -> {
        answerWaiting(Attachments.now());
        if (waiting != null) {
          scheduleOverdue();
        }
      }
      case PAST -> {
        if (!unsure.isEmpty() && isFed()) {
          askForPast();
        }
      }
      case MAILBOX_ENDED -> mailbox = null;
      case IDLE -> {
        if (!log.isEmpty()) {
          tellRemoteTop();
        }
        log.expire(Attachments.now());
        state.prune(node.nodes());
        leaving = state.isEmpty() && log.isEmpty() && waiting == null;
        if (leaving) {
          shardRef.tell(new ClusterSharding.Passivate<>(getContext().getSelf()));
        }
      }
    }
  }

  /** A session that only holds connections of its own node has no timer. */
  private void adjustIdleTimer() {
    boolean needed = state.isEmpty() || !log.isEmpty() || state.hasRemote();
    if (needed && !idleTimer) {
      getContext().setReceiveTimeout(node.settings().idleTimeout(), Timer.IDLE);
    } else if (!needed && idleTimer) {
      // The typed context forgets the message, and delivers null for a timeout that is in the
      // mailbox.
      Adapter.toClassic(getContext())
          .setReceiveTimeout(scala.concurrent.duration.Duration.Undefined());
    }
    idleTimer = needed;
  }

  static EncodedPush encode(StreamEvent event) {
    PushEvent pushed = event.event();
    return new EncodedPush(
        new ServerFrame.Push(
            personalChannel(pushed.user()),
            new Publication(pushed.payload(), null, event.offset(), tags(pushed), 0, "")));
  }

  private static Map<String, String> tags(PushEvent event) {
    if (event.id() == null && event.name() == null) {
      return event.tags();
    }
    var tags = new HashMap<>(event.tags());
    if (event.id() != null) {
      tags.put("id", event.id());
    }
    if (event.name() != null) {
      tags.put("event", event.name());
    }
    return tags;
  }
}
