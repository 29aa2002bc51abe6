package dev.hawser.gateway;

import com.typesafe.config.ConfigValueFactory;
import dev.hawser.gateway.session.Session;
import dev.hawser.gateway.session.Shards;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.PoisonPill;
import org.apache.pekko.actor.typed.javadsl.Adapter;

/** A node as production starts it, on free ports of loopback, in this process. */
final class TestNode extends Node implements AutoCloseable {

  final Gateway gateway;

  /** Starts a node and waits until it is ready. */
  static TestNode ready(Parts parts) throws Exception {
    return ready(parts, "");
  }

  static TestNode ready(Parts parts, String settings) throws Exception {
    return start(parts, settings).awaitReady();
  }

  /** Starts a node and does not wait. */
  static TestNode start(Parts parts, String settings) {
    return new TestNode(new Node(), parts, settings);
  }

  /** Starts several nodes that find each other; does not wait. */
  static List<TestNode> startCluster(Parts parts, int count) {
    return startCluster(parts, Collections.nCopies(count, ""));
  }

  /** The same, each with settings of its own. */
  static List<TestNode> startCluster(Parts parts, List<String> own) {
    List<Node> places = Stream.generate(Node::new).limit(own.size()).toList();
    String cluster = cluster(places.stream().map(place -> place.managementPort).toList());
    return IntStream.range(0, own.size())
        .mapToObj(i -> new TestNode(places.get(i), parts, cluster + "\n" + own.get(i)))
        .toList();
  }

  /** Starts a node in the place of this one, which has ended; does not wait. */
  TestNode startAgain(Parts parts, String settings) {
    return new TestNode(this, parts, settings);
  }

  TestNode awaitReady() throws Exception {
    gateway.ready().toCompletableFuture().get(60, TimeUnit.SECONDS);
    return this;
  }

  /** At once, as when it fails. */
  void endSession(String user) {
    Adapter.toClassic(gateway.system())
        .actorSelection(
            "/system/sharding/%s/%d/%s"
                .formatted(Session.KEY.name(), Shards.of(user, Parts.PARTITIONS), user))
        .tell(PoisonPill.getInstance(), ActorRef.noSender());
  }

  private TestNode(Node place, Parts parts, String settings) {
    super(place);
    // The tests stop their nodes by themselves.
    gateway =
        Gateway.start(
            settings(parts, settings)
                .withValue(
                    "pekko.coordinated-shutdown.run-by-jvm-shutdown-hook",
                    ConfigValueFactory.fromAnyRef(false)));
  }

  @Override
  public void close() {
    gateway
        .stop()
        .thenCompose(stopped -> gateway.terminated())
        .toCompletableFuture()
        .orTimeout(60, TimeUnit.SECONDS)
        .join();
  }
}
