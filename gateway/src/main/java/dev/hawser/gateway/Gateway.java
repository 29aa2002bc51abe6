package dev.hawser.gateway;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import dev.hawser.gateway.cluster.ClusterSettings;
import dev.hawser.gateway.cluster.ClusterSettings.Formation;
import dev.hawser.gateway.cluster.PauseWatch;
import dev.hawser.gateway.connection.Admission;
import dev.hawser.gateway.connection.Authenticator;
import dev.hawser.gateway.connection.Broadcast;
import dev.hawser.gateway.connection.ConnectionId;
import dev.hawser.gateway.connection.ConnectionListener;
import dev.hawser.gateway.connection.ConnectionServices;
import dev.hawser.gateway.connection.DrainSettings;
import dev.hawser.gateway.connection.LoadWatch;
import dev.hawser.gateway.connection.Upstream;
import dev.hawser.gateway.connection.Viewing;
import dev.hawser.gateway.http.ConnectionUrlRoute;
import dev.hawser.gateway.http.HttpServer;
import dev.hawser.gateway.http.ServerApi;
import dev.hawser.gateway.http.ServerApiRoutes;
import dev.hawser.gateway.journal.StoredOffsets;
import dev.hawser.gateway.kafka.BroadcastConsumer;
import dev.hawser.gateway.kafka.EventConsumer;
import dev.hawser.gateway.kafka.EventPublisher;
import dev.hawser.gateway.kafka.KafkaHealth;
import dev.hawser.gateway.kafka.RecordPublisher;
import dev.hawser.gateway.kafka.UpstreamPublisher;
import dev.hawser.gateway.metrics.GatewayMetrics;
import dev.hawser.gateway.session.Attachments;
import dev.hawser.gateway.session.Events;
import dev.hawser.gateway.session.Feeds;
import dev.hawser.gateway.session.PlacementByPartition;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.socket.WebSocketServer;
import dev.hawser.gateway.stream.LastOffsets;
import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.PresenceRecorder;
import dev.hawser.presence.PresenceService;
import dev.hawser.presence.PresenceService.Duty;
import dev.hawser.presence.http.ApiKeys;
import dev.hawser.presence.http.PresenceRoutes;
import dev.hawser.protocol.client.DisconnectCode;
import java.time.Clock;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.pekko.Done;
import org.apache.pekko.actor.BootstrapSetup;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.setup.ActorSystemSetup;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.ShardCoordinator.ShardAllocationStrategy;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Down;
import org.apache.pekko.cluster.typed.Join;
import org.apache.pekko.http.javadsl.server.Directives;
import org.apache.pekko.management.cluster.bootstrap.ClusterBootstrap;
import org.apache.pekko.management.javadsl.PekkoManagement;
import org.apache.pekko.management.javadsl.ReadinessCheckSetup;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running node. It starts in the background: the cluster first, then presence, which leases the
 * node's number from PostgreSQL, then the doors. It stops the other way round, so that clients are
 * told before what serves them is gone.
 */
public final class Gateway {

  private static final Logger log = LoggerFactory.getLogger(Gateway.class);

  /** What each step of a stop may take even if there is no time left. */
  private static final Duration SHORTEST_STEP = Duration.ofSeconds(1);

  private static final Duration READY_POLL = Duration.ofMillis(50);

  private final ActorSystem<Void> system;
  private final GatewaySettings settings;
  private final CoordinatedShutdown shutdown;
  private final GatewayMetrics metrics;
  private final PresenceService presence;
  private final Readiness readiness = new Readiness();
  private final CompletableFuture<Done> ready = new CompletableFuture<>();
  private volatile boolean serving;
  private volatile boolean stopping;

  /** When what the node itself does to stop has to be done, {@link System#nanoTime}. */
  private volatile long stopBy;

  private volatile List<String> otherNodes = List.of();

  /** Null before the doors are opened. */
  private volatile @Nullable Attachments attachments;

  /**
   * Starts a node with these settings over the defaults of reference.conf, and returns at once.
   *
   * @throws IllegalArgumentException if a setting is wrong
   * @throws com.typesafe.config.ConfigException if a setting is missing or of the wrong type
   */
  public static Gateway start(Config application) {
    Config config =
        ConfigFactory.defaultOverrides()
            .withFallback(application)
            .withFallback(ConfigFactory.parseResources(Gateway.class, "/hawser-pekko.conf"))
            .withFallback(ConfigFactory.defaultReferenceUnresolved())
            .resolve();
    var settings = GatewaySettings.from(config.getConfig("hawser"));
    Config pekko = settings.cluster().pekko().withFallback(config);
    // Each step ends by itself, in what is left of the time (stopBy).
    Duration atMost = settings.drain().timeout().plus(SHORTEST_STEP.multipliedBy(2));
    for (String phase :
        List.of("service-unbind", "service-requests-done", "before-cluster-shutdown")) {
      pekko =
          pekko.withValue(
              "pekko.coordinated-shutdown.phases.%s.timeout".formatted(phase),
              ConfigValueFactory.fromAnyRef(atMost));
    }
    return new Gateway(pekko, settings);
  }

  private Gateway(Config config, GatewaySettings settings) {
    this.settings = settings;
    ClusterSettings cluster = settings.cluster();
    this.system =
        ActorSystem.create(
            Behaviors.empty(),
            "hawser",
            ActorSystemSetup.create(
                BootstrapSetup.create(config),
                ReadinessCheckSetup.create(created -> List.of(readiness))));
    if (settings.presence().apiKeys().isEmpty()) {
      log.warn("no API key (hawser.presence.api-keys, HAWSER_API_KEY): /api refuses everybody");
    }
    this.shutdown = CoordinatedShutdown.get(system);
    this.metrics = GatewayMetrics.get(system);
    // Before there is somebody who answers: without a condition a node would be ready.
    readiness.require(() -> !stopping, "the node is stopping");
    readiness.require(() -> serving, "sockets are not bound");
    var managed =
        named(
            "hawser.management.port",
            config.getInt("hawser.management.port"),
            PekkoManagement.get(system).start());
    join();
    Set<Duty> duties = EnumSet.noneOf(Duty.class);
    if (cluster.isGateway()) {
      duties.add(Duty.RECORD);
    }
    if (cluster.isPresence()) {
      duties.add(Duty.REMOVE_DEAD);
    }
    this.presence = PresenceService.start(settings.presence(), cluster.node(), duties);
    readiness.require(
        () ->
            otherNodes.isEmpty()
                ? ""
                : "other nodes are running: " + String.join(", ", otherNodes));
    readiness.requireOnce(presence::reachable, "PostgreSQL is not reachable");
    metrics.gauge(
        "hawser.postgresql.reachable",
        "Whether PostgreSQL answered when it was asked last: 1, else 0",
        () -> presence.reachable() ? 1 : 0);
    onStop(
        CoordinatedShutdown.PhaseBeforeServiceUnbind(),
        "not ready",
        () -> {
          log.info("stopping");
          stopBy = System.nanoTime() + settings.drain().ofOwnSteps().toNanos();
          stopping = true;
          Attachments known = attachments;
          if (known != null) {
            known.tellStatus();
          }
          return CompletableFuture.completedFuture(Done.getInstance());
        });
    onStop(CoordinatedShutdown.PhaseBeforeClusterShutdown(), "presence", presence::stop);
    onStop(
        CoordinatedShutdown.PhaseBeforeActorSystemTerminate(),
        "metrics",
        () -> {
          metrics.close();
          return CompletableFuture.completedFuture(Done.getInstance());
        });
    var joined =
        managed.thenCompose(uri -> clusterUp()).thenCombine(presence.ready(), (up, is) -> up);
    CompletionStage<Done> opened =
        cluster.isGateway()
            ? joined.thenCompose(up -> aloneIfItHasToBe()).thenCompose(up -> openGateway())
            : joined.thenCompose(up -> openPresence());
    var unused = opened.whenComplete((done, failure) -> onOpened(failure));
  }

  private void join() {
    var cluster = Cluster.get(system);
    switch (settings.cluster().formation()) {
      case ALONE -> cluster.manager().tell(Join.create(cluster.selfMember().address()));
      case CONTACT_POINTS, KUBERNETES -> {
        ClusterBootstrap.get(system).start();
        var watch =
            new PauseWatch(
                ClusterSettings.unnoticedPause(system.settings().config()), this::onPause);
        onStop(
            CoordinatedShutdown.PhaseActorSystemTerminate(),
            "pause watch",
            () -> {
              watch.close();
              return CompletableFuture.completedFuture(Done.getInstance());
            });
      }
    }
  }

  /** The others have taken over: this node drops what it holds, and comes back as another one. */
  private void onPause() {
    var cluster = Cluster.get(system);
    if (stopping || org.apache.pekko.cluster.Cluster.get(system).state().members().size() < 2) {
      return;
    }
    log.warn("the others may have taken over; this node leaves at once");
    cluster.manager().tell(new Down(cluster.selfMember().address()));
  }

  /**
   * Completes when clients are served: PostgreSQL and Kafka were reached, the sockets are bound.
   */
  public CompletionStage<Done> ready() {
    return ready;
  }

  /** Tells clients to come back elsewhere, writes what is to be written, leaves the cluster. */
  public CompletionStage<Done> stop() {
    return shutdown.runAll(CoordinatedShutdown.unknownReason());
  }

  /** For tests that make its actors fail. */
  ActorSystem<?> system() {
    return system;
  }

  /** Completes when everything has ended. */
  public CompletionStage<Done> terminated() {
    return system.getWhenTerminated();
  }

  /**
   * Whether the node has ended, or is ending, because the others took it for dead, or because it
   * could not join them: it should be started anew.
   */
  public boolean lostMembership() {
    return shutdown
        .getShutdownReason()
        .filter(
            reason ->
                reason == CoordinatedShutdown.clusterDowningReason()
                    || reason == CoordinatedShutdown.clusterJoinUnsuccessfulReason())
        .isPresent();
  }

  /** Others own what this node owned: its clients must not wait. */
  private DrainSettings drain() {
    return lostMembership() ? settings.drain().atOnce() : settings.drain().ofClients();
  }

  private CompletionStage<Done> clusterUp() {
    var up = new CompletableFuture<Done>();
    org.apache.pekko.cluster.Cluster.get(system)
        .registerOnMemberUp(() -> up.complete(Done.getInstance()));
    return up;
  }

  /**
   * Two nodes that do not form a cluster share the partitions of Kafka, but not the sessions: half
   * of the events would reach nobody. So a node that is to be alone waits until it is.
   */
  private CompletionStage<Done> aloneIfItHasToBe() {
    if (settings.cluster().formation() != Formation.ALONE) {
      return CompletableFuture.completedFuture(Done.getInstance());
    }
    return presence
        .otherNodes()
        .exceptionally(away -> List.of("PostgreSQL does not say which"))
        .thenCompose(
            others -> {
              if (others.isEmpty()) {
                return CompletableFuture.completedFuture(Done.getInstance());
              }
              if (!others.equals(otherNodes)) {
                log.error(
                    "this node is to be alone (hawser.cluster.formation), but there are others:"
                        + " {}; it waits until they are gone",
                    String.join(", ", others));
              }
              otherNodes = others;
              return CompletableFuture.supplyAsync(
                      () -> otherNodes, CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS))
                  .thenCompose(waited -> aloneIfItHasToBe());
            })
        .thenApply(
            alone -> {
              otherNodes = List.of();
              return alone;
            });
  }

  private CompletionStage<Done> openPresence() {
    return named(
            "hawser.http.port",
            settings.http().port(),
            HttpServer.bind(system, settings.http(), null, presenceRoutes().route()))
        .thenApply(
            http -> {
              onStop(CoordinatedShutdown.PhaseServiceUnbind(), "http", http::stop);
              return Done.getInstance();
            });
  }

  private PresenceRoutes presenceRoutes() {
    return new PresenceRoutes(
        presence.database(), new ApiKeys(settings.presence().apiKeys()), Clock.systemUTC());
  }

  private CompletionStage<Done> openGateway() {
    if (!settings.kafka().enabled()) {
      Upstream nowhere =
          message ->
              CompletableFuture.failedFuture(
                  new IllegalStateException("hawser.kafka.enabled is off"));
      return open(
              Feeds.untracked(settings.shards()),
              null,
              null,
              nowhere,
              Events.toSessions(ClusterSharding.get(system)))
          .thenApply(doors -> Done.getInstance());
    }
    var publisher = new RecordPublisher(settings.kafka());
    var kafka = new KafkaHealth(system, settings.kafka(), publisher);
    readiness.requireOnce(kafka::reachable, "Kafka is not reachable");
    readiness.require(
        kafka::sameTopic,
        "%s was created anew, or its partitions were changed: restart all nodes"
            .formatted(settings.kafka().events()));
    metrics.gauge(
        "hawser.kafka.reachable",
        "Whether Kafka answered when it was asked last: 1, else 0",
        () -> kafka.reachable() ? 1 : 0);
    onStop(
        CoordinatedShutdown.PhaseBeforeActorSystemTerminate(),
        "kafka",
        () ->
            CompletableFuture.supplyAsync(
                () -> {
                  kafka.close();
                  publisher.close();
                  return Done.getInstance();
                },
                Thread::startVirtualThread));
    var upstream = new UpstreamPublisher(publisher, settings.kafka(), version());
    return kafka
        .events()
        .thenCompose(
            topic -> {
              var feeds = new Feeds(topic.partitions().size(), epoch(topic));
              var lastOffsets = new StoredOffsets(streams(), feeds.epoch(), Session::mailboxId);
              var events = new EventPublisher(publisher, settings.kafka(), feeds);
              measure(events);
              return open(feeds, lastOffsets, new PlacementByPartition(system), upstream, events)
                  .thenAccept(doors -> consume(doors, feeds, lastOffsets, publisher, upstream));
            })
        .thenApply(consuming -> Done.getInstance());
  }

  /** Positions of another topic, or of one whose users are spread in another way, mean nothing. */
  private static String epoch(TopicDescription topic) {
    return Long.toString(topic.topicId().getMostSignificantBits(), Character.MAX_RADIX)
        + "."
        + topic.partitions().size();
  }

  /** Last offsets have connections of their own: one to write, one to read. */
  private PresenceDatabase streams() {
    var database = PresenceDatabase.forOthers(settings.presence().database(), "streams", 2);
    onStop(
        CoordinatedShutdown.PhaseBeforeActorSystemTerminate(),
        "streams",
        () -> {
          database.close();
          return CompletableFuture.completedFuture(Done.getInstance());
        });
    return database;
  }

  private void consume(
      Doors doors,
      Feeds feeds,
      LastOffsets lastOffsets,
      RecordPublisher publisher,
      UpstreamPublisher upstream) {
    var consumer =
        new EventConsumer(
            system,
            settings.kafka(),
            settings.offline(),
            settings.session().recovery().age(),
            feeds,
            lastOffsets,
            publisher);
    onStop(CoordinatedShutdown.PhaseServiceRequestsDone(), "events", consumer::stop);
    readiness.require(consumer::assigned, "Kafka has assigned no partitions yet");
    measure(upstream, consumer);
    if (!settings.kafka().broadcast().isEmpty()) {
      var broadcasts = new BroadcastConsumer(settings.kafka(), doors::broadcast);
      // Clients get them as long as they are here.
      onStop(CoordinatedShutdown.PhaseServiceRequestsDone(), "broadcasts", broadcasts::stop);
      readiness.require(broadcasts::reading, "broadcasts are not read yet");
      metrics.counter(
          "hawser.broadcasts",
          "Records of the broadcast topic that were written to all clients",
          broadcasts::records);
    }
  }

  /** Where clients come in. */
  private record Doors(WebSocketServer webSockets, HttpServer http) {
    CompletionStage<Void> broadcast(Broadcast broadcast) {
      return webSockets
          .broadcast(broadcast)
          .thenCombine(http.broadcast(broadcast), (first, second) -> null);
    }
  }

  private CompletionStage<Doors> open(
      Feeds feeds,
      @Nullable LastOffsets lastOffsets,
      @Nullable ShardAllocationStrategy strategy,
      Upstream upstream,
      Events events) {
    var sharding = ClusterSharding.get(system);
    var attachments =
        Attachments.start(
            system,
            feeds,
            settings.advertisedUrl(),
            readiness::isReady,
            settings.session().reattachRate(),
            version());
    this.attachments = attachments;
    Session.init(
        sharding,
        Cluster.get(system),
        settings.session(),
        feeds,
        lastOffsets,
        attachments.nodes(),
        strategy);
    var authenticator = new Authenticator(settings.authenticator());
    var admission = new Admission(settings.admission());
    readiness.require(admission::problem);
    for (Admission.Refusal why : Admission.Refusal.values()) {
      metrics.counter(
          "hawser.refused",
          "Clients that were refused with 503, by why",
          () -> admission.refused(why),
          "reason",
          why.label());
    }
    metrics.gauge("hawser.handshakes", "Clients that are being let in", admission::handshakes);
    var services =
        new ConnectionServices(
            settings.connection(),
            admission,
            this::drain,
            authenticator,
            new ConnectionId(() -> presence.lease().number(), Clock.systemUTC()),
            attachments,
            upstream,
            new Listeners(presence.recorder(), metrics),
            version());
    metrics.gauge(
        "hawser.connections.local",
        "Clients connected whose session is on this node, too",
        attachments::local);
    metrics.gauge(
        "hawser.connections.waiting",
        "Clients whose session is being looked for",
        attachments::waiting);
    metrics.gauge(
        "hawser.presence.lag.seconds",
        "Age of the oldest change that is not in PostgreSQL",
        () -> presence.lag().toMillis() / 1_000.0);
    return named(
            "hawser.websocket.port",
            settings.webSocket().port(),
            WebSocketServer.bind(settings.webSocket(), services))
        .thenCompose(
            webSockets -> {
              onStop(CoordinatedShutdown.PhaseServiceUnbind(), "websockets", webSockets::stop);
              metrics.gauge(
                  "hawser.event.loop.pending.tasks",
                  "Tasks waiting on the WebSocket event loops",
                  webSockets::pendingTasks);
              webSockets
                  .certificateExpiresAt()
                  .ifPresent(
                      first ->
                          metrics.gauge(
                              "hawser.tls.certificate.expires.seconds",
                              "When the certificate that new connections get ends, as Unix time",
                              () ->
                                  webSockets
                                      .certificateExpiresAt()
                                      .orElse(first)
                                      .getEpochSecond()));
              var watch = new LoadWatch(admission, webSockets.loops());
              onStop(
                  CoordinatedShutdown.PhaseServiceStop(),
                  "load watch",
                  () -> {
                    watch.close();
                    return CompletableFuture.completedFuture(Done.getInstance());
                  });
              metrics.gauge(
                  "hawser.event.loop.lag.seconds",
                  "How long a task waited for the busiest WebSocket event loop",
                  () -> watch.lag().toMillis() / 1_000.0);
              var connectionUrl =
                  new ConnectionUrlRoute(
                      authenticator,
                      new ApiKeys(settings.presence().apiKeys()),
                      settings.connection().allowedOrigins(),
                      attachments.nodes(),
                      settings.advertisedUrl(),
                      readiness::isReady);
              var api =
                  new ServerApiRoutes(
                      new ServerApi(events, sharding, attachments, settings.kafka().requireJson()),
                      new ApiKeys(settings.presence().apiKeys()));
              var routes = Directives.concat(connectionUrl.route(), api.route());
              if (settings.cluster().isPresence()) {
                routes = Directives.concat(routes, presenceRoutes().route());
              }
              return named(
                      "hawser.http.port",
                      settings.http().port(),
                      HttpServer.bind(system, settings.http(), services, routes))
                  .thenApply(
                      http -> {
                        onStop(CoordinatedShutdown.PhaseServiceUnbind(), "http", http::stop);
                        return new Doors(webSockets, http);
                      });
            });
  }

  /** A port that cannot be had is told with the setting it comes from. */
  private static <T> CompletionStage<T> named(
      String setting, int port, CompletionStage<T> binding) {
    return binding.exceptionallyCompose(
        failure -> {
          Throwable cause = failure.getCause() == null ? failure : failure.getCause();
          return CompletableFuture.failedFuture(
              new IllegalStateException(
                  "%s is %d: %s".formatted(setting, port, cause.getMessage()), failure));
        });
  }

  private void measure(EventPublisher events) {
    String published = "Events of the HTTP API, by what became of them";
    metrics.counter("hawser.published", published, events::acknowledged, "result", "acknowledged");
    metrics.counter("hawser.published", published, events::failed, "result", "failed");
  }

  private void measure(UpstreamPublisher upstream, EventConsumer consumer) {
    String messages = "Messages of clients, by what became of them";
    metrics.counter("hawser.upstream", messages, upstream::acknowledged, "result", "acknowledged");
    metrics.counter("hawser.upstream", messages, upstream::failed, "result", "failed");
    metrics.gauge(
        "hawser.upstream.in.flight",
        "Messages of clients that Kafka has not acknowledged",
        upstream::inFlight);
    String records = "Records read from the events topic, by where they went";
    metrics.counter("hawser.events", records, consumer::events, "to", "user");
    metrics.counter("hawser.events", records, consumer::deadLetters, "to", "dead-letters");
    metrics.counter("hawser.events", records, consumer::misrouted, "to", "other-partition");
    metrics.gauge(
        "hawser.events.unread",
        "Records of this node's partitions that it has not read yet",
        consumer::unread);
    metrics.gauge(
        "hawser.events.uncommitted",
        "Records that were handed over and are kept uncommitted, to be read again after a crash",
        consumer::uncommitted);
    metrics.gauge(
        "hawser.events.in.flight",
        "Records that their session has not acknowledged",
        consumer::inFlight);
  }

  private void onOpened(@Nullable Throwable failure) {
    if (failure == null) {
      serving = true;
      completeWhenReady();
    } else {
      Throwable cause =
          failure instanceof CompletionException && failure.getCause() != null
              ? failure.getCause()
              : failure;
      log.error("the node cannot start: {}", cause.getMessage());
      ready.completeExceptionally(cause);
      var unused = stop();
    }
  }

  private void completeWhenReady() {
    if (readiness.isReady()) {
      ready.complete(Done.getInstance());
    } else {
      var unused =
          system
              .scheduler()
              .scheduleOnce(READY_POLL, this::completeWhenReady, system.executionContext());
    }
  }

  private void onStop(String phase, String name, Supplier<? extends CompletionStage<?>> stop) {
    shutdown.addTask(
        phase,
        name,
        () ->
            stop.get()
                .thenApply(stopped -> Done.getInstance())
                .toCompletableFuture()
                .completeOnTimeout(
                    Done.getInstance(), timeLeft().toMillis(), TimeUnit.MILLISECONDS));
  }

  /** Whatever does not answer must not take the time of what comes after it. */
  private Duration timeLeft() {
    Duration left = Duration.ofNanos(stopBy - System.nanoTime());
    return left.compareTo(SHORTEST_STEP) > 0 ? left : SHORTEST_STEP;
  }

  private static String version() {
    String version = Gateway.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /** Presence and metrics, told in one call. */
  private record Listeners(PresenceRecorder presence, GatewayMetrics metrics)
      implements ConnectionListener {

    @Override
    public void connected(String user) {
      presence.connected(user);
      metrics.connected(user);
    }

    @Override
    public void disconnected(String user) {
      presence.disconnected(user);
      metrics.disconnected(user);
    }

    @Override
    public void viewing(String user, @Nullable Viewing before, @Nullable Viewing after) {
      if (before != null) {
        presence.viewed(user, before.resource(), before.idle(), after != null);
      }
      if (after != null) {
        presence.viewing(user, after.resource(), after.idle());
      }
    }

    @Override
    public void closed(DisconnectCode code) {
      metrics.closed(code);
    }

    @Override
    public void pushed() {
      metrics.pushed();
    }
  }
}
