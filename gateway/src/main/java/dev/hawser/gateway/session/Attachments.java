package dev.hawser.gateway.session;

import dev.hawser.protocol.client.StreamPosition;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.jspecify.annotations.Nullable;

/**
 * The node's connections that have a session, or wait for one. Each is kept attached: when its
 * session moves, or the session's node dies, it attaches again, and nobody is disconnected.
 */
public final class Attachments implements Sessions {

  /** Sharding delivers at most once: what is not answered in this time is asked again. */
  private static final Duration RETRY = Duration.ofSeconds(3);

  /**
   * Sharding learns of a node's end when the edge does, in no order: what is sent at once may still
   * go to the dead node, and wait for its retry. Nobody answers this soon anyway.
   */
  private static final Duration ORPHAN_DELAY = Duration.ofMillis(500);

  private final Map<Long, Attachment> attachments = new ConcurrentHashMap<>();

  /** Those without a session. Few at most times: what looks for them must not look at all. */
  private final Set<Attachment> unowned = ConcurrentHashMap.newKeySet();

  private final AtomicInteger ownedHere = new AtomicInteger();
  private final ActorSystem<?> system;
  private final ClusterSharding sharding;
  private final UniqueAddress self;
  private final int shards;
  private final int rate;
  private final String version;
  private final Nodes nodes;
  private final ActorRef<Edge.Message> edge;

  /**
   * Starts the node's edge.
   *
   * @param url where clients reach this node
   * @param ready whether it takes clients; asked often
   * @param rate how many connections a second attach again after their session's node has died
   * @param version of Hawser
   */
  public static Attachments start(
      ActorSystem<?> system,
      Feeds feeds,
      String url,
      BooleanSupplier ready,
      int rate,
      String version) {
    return new Attachments(system, feeds, url, ready, rate, version);
  }

  private Attachments(
      ActorSystem<?> system,
      Feeds feeds,
      String url,
      BooleanSupplier ready,
      int rate,
      String version) {
    this.system = system;
    this.version = version;
    this.sharding = ClusterSharding.get(system);
    this.self = Cluster.get(system).selfMember().uniqueAddress();
    this.shards = feeds.shards();
    this.rate = rate;
    this.nodes = new Nodes(shards);
    this.edge =
        system.systemActorOf(
            Edge.create(this, nodes, feeds, self, url, ready), "hawser-edge", Props.empty());
  }

  /** What is known of all nodes. */
  public Nodes nodes() {
    return nodes;
  }

  /** Tells the other nodes now whether this one takes clients, not a moment later. */
  public void tellStatus() {
    edge.tell(Edge.Tick.STATUS);
  }

  /** Connections whose session is on this node, too. */
  public int local() {
    return ownedHere.get();
  }

  /** Connections that have no session at the moment. */
  public int waiting() {
    return unowned.size();
  }

  /** What every gateway node says about itself; one that does not answer in time is left out. */
  public CompletionStage<List<NodeInfo>> describeAll(Duration patience) {
    return AskPattern.<Receptionist.Command, Receptionist.Listing>ask(
            system.receptionist(),
            replyTo -> Receptionist.find(Edge.KEY, replyTo),
            patience,
            system.scheduler())
        .thenCompose(listing -> describe(listing.getServiceInstances(Edge.KEY), patience));
  }

  private CompletionStage<List<NodeInfo>> describe(
      Set<ActorRef<Edge.Message>> edges, Duration patience) {
    var answers =
        edges.stream()
            .map(
                each ->
                    AskPattern.ask(each, Edge.Describe::new, patience, system.scheduler())
                        .exceptionally(silent -> null)
                        .toCompletableFuture())
            .toList();
    return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
        .thenApply(
            all ->
                answers.stream()
                    .map(CompletableFuture::join)
                    .filter(Objects::nonNull)
                    .sorted(Comparator.comparing(NodeInfo::name))
                    .toList());
  }

  /** This node. */
  NodeInfo describe() {
    var users = new HashSet<String>();
    attachments.values().forEach(attachment -> users.add(attachment.user));
    var address = self.address();
    String name = address.getHost().orElse("") + ":" + address.getPort().orElse(0);
    return new NodeInfo(
        name + "#" + self.longUid(),
        name,
        version,
        attachments.size(),
        users.size(),
        system.uptime());
  }

  @Override
  public void attach(
      String user,
      long connection,
      String device,
      @Nullable StreamPosition since,
      Receiver receiver) {
    var attachment = new Attachment(this, user, connection, device, since, receiver);
    unowned.add(attachment);
    attachments.put(connection, attachment);
    sendIfDue(attachment);
  }

  @Override
  public void acknowledge(long connection, long offset) {
    Attachment attachment = attachments.get(connection);
    if (attachment != null && attachment.acknowledge(offset)) {
      tell(attachment.user, new Session.Acknowledge(connection, offset));
    }
  }

  @Override
  public void detach(long connection) {
    Attachment attachment = attachments.remove(connection);
    if (attachment != null) {
      attachment.close();
      tell(attachment.user, new Session.Detach(connection));
    }
  }

  @Nullable Attachment find(long connection) {
    return attachments.get(connection);
  }

  /** A session has a connection that is not, or no longer, here. */
  void disown(String user, long connection) {
    tell(user, new Session.Detach(connection));
  }

  /** Milliseconds of a clock that only goes forward. */
  static long now() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  void ask(Attachment attachment) {
    edge.tell(new Edge.Ask(attachment));
  }

  void sendIfDue(Attachment attachment) {
    long now = now();
    if (attachment.due(now, now + RETRY.toMillis())) {
      tell(
          attachment.user,
          new Session.Attach(attachment.since(), attachment.acknowledged(), attachment));
    }
  }

  /** Sends for all that are due. */
  void sendDue() {
    if (!unowned.isEmpty()) {
      unowned.forEach(this::sendIfDue);
    }
  }

  /** The node is gone: its sessions' connections attach again, spread over time. */
  int orphan(UniqueAddress node) {
    long now = now();
    List<Attachment> owned =
        attachments.values().stream()
            .filter(attachment -> node.equals(attachment.owner()))
            .toList();
    long spread = owned.size() * 1_000L / rate + 1;
    int orphans = 0;
    for (Attachment attachment : owned) {
      long reached = nodes.reached(node, Shards.of(attachment.user, shards));
      long due = now + ORPHAN_DELAY.toMillis() + ThreadLocalRandom.current().nextLong(spread);
      if (attachment.orphaned(node, reached, due)) {
        orphans++;
      }
    }
    return orphans;
  }

  /** The shard's sessions are on this node now; whoever thinks otherwise has missed the move. */
  void moved(int shard, UniqueAddress node) {
    for (Attachment attachment : attachments.values()) {
      UniqueAddress owner = attachment.owner();
      if (owner != null && !owner.equals(node) && Shards.of(attachment.user, shards) == shard) {
        attachment.released();
      }
    }
  }

  RemoteOutbox remote(long connection, String device) {
    return new RemoteOutbox(connection, device, edge, self);
  }

  /** An attachment's owner changes; null for none. */
  void owned(Attachment attachment, @Nullable UniqueAddress from, @Nullable UniqueAddress to) {
    if (to == null) {
      unowned.add(attachment);
    } else {
      unowned.remove(attachment);
    }
    countHere(from, -1);
    countHere(to, 1);
  }

  /** An attachment is gone that had this owner. */
  void ended(Attachment attachment, @Nullable UniqueAddress owner) {
    unowned.remove(attachment);
    countHere(owner, -1);
  }

  private void countHere(@Nullable UniqueAddress owner, int step) {
    if (self.equals(owner)) {
      ownedHere.addAndGet(step);
    }
  }

  private void tell(String user, Session.Command command) {
    sharding.entityRefFor(Session.KEY, user).tell(command);
  }
}
