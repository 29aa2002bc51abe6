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
    Map<String, Long> resident = new TreeMap<>();
    probes.values().forEach(probe -> resident.put(probe.name(), probe.residentBytes()));
    put(resident, "resident %s, MiB".formatted(when), figures);
  }

  /** Memory that is needed: all garbage is collected first, where that can be done. */
  void measureCollected(String when, Figures figures) throws IOException, InterruptedException {
    Map<String, Long> resident = new TreeMap<>();
    for (NodeProbe probe : probes.values()) {
      if (probe.collectGarbage()) {
        Thread.sleep(AFTER_COLLECTION);
        resident.put(probe.name(), probe.residentBytes());
      }
    }
    resident.forEach(residentBefore::putIfAbsent);
    put(resident, "resident %s, collected, MiB".formatted(when), figures);
  }

  /** Of each, and of all together where there are several. */
  private static void put(Map<String, Long> resident, String what, Figures figures) {
    resident.forEach((name, bytes) -> figures.put(name + " " + what, bytes / MEBIBYTE));
    if (resident.size() > 1) {
      long all = resident.values().stream().mapToLong(Long::longValue).sum();
      figures.put("all nodes " + what, all / MEBIBYTE);
    }
  }

  /** What each connection has added to its node, all included, since the first measurement. */
  void measurePerConnection(int connected, Figures figures) {
    long all = 0;
    int known = 0;
    for (NodeProbe probe : probes.values()) {
      Long before = residentBefore.get(probe.name());
      if (before != null && connected > 0) {
        long added = probe.residentBytes() - before;
        figures.put(
            probe.name() + " resident per connection, bytes",
            (double) added * probes.size() / connected);
        all += added;
        known++;
      }
    }
    if (known > 1 && known == probes.size()) {
      figures.put("all nodes resident per connection, bytes", (double) all / connected);
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
