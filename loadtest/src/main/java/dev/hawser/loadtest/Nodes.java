package dev.hawser.loadtest;

import dev.hawser.loadtest.report.Sample.NodeSample;
import dev.hawser.loadtest.server.Cluster;
import dev.hawser.loadtest.server.NodeProbe;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The nodes whose processes are known: those of our own cluster, or those that were named. */
final class Nodes {

  private static final double MEBIBYTE = 1024 * 1024;

  /** After a collection, memory goes back to the system a moment later. */
  private static final Duration AFTER_COLLECTION = Duration.ofSeconds(1);

  private final Map<String, NodeProbe> probes = new TreeMap<>();
  private final Map<String, Long> residentBefore = new TreeMap<>();
  private final List<Long> named;
  private final @Nullable Cluster cluster;

  /**
   * @param named processes; used if there is no cluster
   * @param cluster null if it is somebody else's
   */
  Nodes(List<Long> named, @Nullable Cluster cluster) {
    this.named = named;
    this.cluster = cluster;
    refresh();
  }

  /** What each has used since the last call. */
  List<NodeSample> sample() {
    refresh();
    return probes.values().stream().map(NodeProbe::sample).toList();
  }

  /** Of each, since it was started. */
  Map<String, Double> cpuSeconds() {
    Map<String, Double> cpu = new TreeMap<>();
    probes.values().forEach(probe -> cpu.put(probe.name(), probe.cpuSeconds()));
    return cpu;
  }

  /** The one that goes away in a storm. */
  NodeProbe last() {
    return List.copyOf(probes.values()).getLast();
  }

  /** Memory as it is now. */
  void measure(String when, Figures figures) {
    probes
        .values()
        .forEach(
            probe ->
                figures.put(
                    "%s resident %s, MiB".formatted(probe.name(), when),
                    probe.residentBytes() / MEBIBYTE));
  }

  /** Memory that is needed: all garbage is collected first, where that can be done. */
  void measureCollected(String when, Figures figures) throws IOException, InterruptedException {
    for (NodeProbe probe : probes.values()) {
      if (probe.collectGarbage()) {
        Thread.sleep(AFTER_COLLECTION);
        long resident = probe.residentBytes();
        residentBefore.putIfAbsent(probe.name(), resident);
        figures.put(
            "%s resident %s, collected, MiB".formatted(probe.name(), when), resident / MEBIBYTE);
      }
    }
  }

  /** What each connection has added to its node, all included, since the first measurement. */
  void measurePerConnection(int connected, Figures figures) {
    for (NodeProbe probe : probes.values()) {
      Long before = residentBefore.get(probe.name());
      if (before != null && connected > 0) {
        figures.put(
            probe.name() + " resident per connection, bytes",
            (double) (probe.residentBytes() - before) * probes.size() / connected);
      }
    }
  }

  /** A node that was started again has another process. */
  private void refresh() {
    Map<Integer, Long> processes = new TreeMap<>();
    if (cluster == null) {
      for (int i = 0; i < named.size(); i++) {
        processes.put(i + 1, named.get(i));
      }
    } else {
      processes.putAll(cluster.processes());
    }
    processes.forEach(
        (number, pid) -> {
          String name = "node-" + number;
          NodeProbe known = probes.get(name);
          if (known == null || known.pid() != pid) {
            probes.put(
                name, new NodeProbe(name, pid, cluster == null ? null : cluster.collectorLog(pid)));
          }
        });
  }
}
