package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.client.WorkerPlan.Speech;
import dev.hawser.loadtest.server.Broadcasts;
import dev.hawser.loadtest.server.Cluster;
import io.netty.channel.Channel;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;

/**
 * A cluster of one node as in the other scenarios. The node is measured; PostgreSQL and Kafka have
 * processes of their own.
 */
final class HawserServer implements Server {

  private final Cluster cluster;

  /** Starts it, and waits until it is ready. */
  HawserServer(Path directory) throws IOException, InterruptedException {
    cluster = new Cluster(1, "", directory);
    try {
      cluster.awaitReady();
      Broadcasts.createTopic(cluster.kafka());
    } catch (InterruptedException | RuntimeException failure) {
      cluster.close();
      throw failure;
    }
  }

  @Override
  public URI url() {
    return cluster.urls().getFirst();
  }

  @Override
  public Speech speech() {
    return Speech.CENTRIFUGO;
  }

  @Override
  public String versions() {
    return "Hawser %s, Netty %s".formatted(version(HawserServer.class), version(Channel.class));
  }

  @Override
  public List<Long> processes() {
    return List.copyOf(cluster.processes().values());
  }

  @Override
  public boolean isJvm() {
    return true;
  }

  @Override
  public Publisher publisher(int payloadBytes) {
    return new KafkaPublisher(cluster.kafka(), payloadBytes);
  }

  @Override
  public void close() {
    cluster.close();
  }

  private static String version(Class<?> type) {
    String version = type.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }
}
