package dev.hawser.deploy.standalone.doctor;

import dev.hawser.deploy.standalone.doctor.Finding.Verdict;
import dev.hawser.deploy.standalone.doctor.Reading.Absent;
import dev.hawser.deploy.standalone.doctor.Reading.Numbers;
import dev.hawser.deploy.standalone.doctor.Reading.Unreadable;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What a node with so many connections needs. deploy/sysctl/README.md explains the figures to
 * people: change the two together.
 */
public final class Rules {

  /** What a node has open besides its connections: jars, Kafka, PostgreSQL, other nodes. */
  private static final long OTHER_FILES = 1_000;

  /** What everything else on the machine may have open. */
  private static final long FILES_OF_OTHERS = 10_000;

  /** Threads of a node; they do not grow with its connections. */
  private static final long THREADS = 500;

  /** Bytes of a node without connections. */
  private static final long NODE_MEMORY = 512L << 20;

  /** Bytes: 6 KiB in the process, 5 KiB in the kernel, the rest for what is under way. */
  private static final long CONNECTION_MEMORY = 16L << 10;

  /**
   * What TCP counts at least for a connection that has something under way, if it cannot be read.
   */
  private static final long USUAL_PAGE = 4_096;

  /** What WebSocketServer asks listen() for. */
  private static final long ACCEPT_BACKLOG = 4_096;

  /** Without SYN cookies the kernel keeps the last quarter for hosts it knows. */
  private static final long SYN_BACKLOG = 2 * ACCEPT_BACKLOG;

  /** Where a node listens by default: cluster, management, WebSockets, HTTP. */
  private static final List<Long> PORTS = List.of(7_355L, 7_626L, 8_000L, 8_080L);

  private Rules() {}

  /** File descriptors that a node needs. */
  public static long files(long connections) {
    return connections + OTHER_FILES;
  }

  /** Bytes that a node needs, those that the kernel keeps for it included. */
  public static long memory(long connections) {
    return NODE_MEMORY + connections * CONNECTION_MEMORY;
  }

  /** Judges everything, the most important first. */
  public static List<Finding> judge(Host host, long connections) {
    long files = files(connections);
    return List.of(
        openFiles(host, files),
        atLeast("fs.nr_open", host.nrOpen(), files, sysctl("fs.nr_open", files)),
        atLeast(
            "fs.file-max",
            host.fileMax(),
            files + FILES_OF_OTHERS,
            sysctl("fs.file-max", files + FILES_OF_OTHERS)),
        memory(host, connections),
        tcpMemory(host, connections),
        connectionTracking(
            "net.netfilter.nf_conntrack_max", host.connectionTracking(), 2 * connections),
        connectionTracking(
            "net.netfilter.nf_conntrack_buckets", host.connectionBuckets(), connections),
        atLeast(
            "net.core.somaxconn",
            host.somaxconn(),
            ACCEPT_BACKLOG,
            sysctl("net.core.somaxconn", ACCEPT_BACKLOG)),
        synBacklog(host),
        localPorts(host),
        atLeast(
            "threads, of the user",
            soft(host.processes()),
            THREADS,
            "LimitNPROC of the systemd unit: %d or more".formatted(THREADS)),
        atLeast(
            "threads, control group",
            unlimitedIfAbsent(host.pidsLimit()),
            THREADS,
            "TasksMax of the systemd unit, podPidsLimit of the kubelet: %d or more"
                .formatted(THREADS)));
  }

  /** The hard limit counts: a JVM raises its own soft one to it. */
  private static Finding openFiles(Host host, long files) {
    String needed = count(files) + " (hard)";
    return judged(
        "nofile, soft / hard",
        needed,
        host.openFiles(),
        limits -> {
          boolean enough = limits.getLast() >= files;
          return new Finding(
              "nofile, soft / hard",
              count(limits.getFirst()) + " / " + count(limits.getLast()),
              needed,
              enough ? Verdict.OK : Verdict.TOO_LOW,
              enough
                  ? ""
                  : "LimitNOFILE=%d in the systemd unit of the node, or of the container runtime"
                      .formatted(files));
        });
  }

  private static Finding memory(Host host, long connections) {
    long needed = memory(connections);
    return judged(
        "memory",
        mebibytes(needed),
        host.memory(),
        machine -> {
          long limit =
              host.memoryLimit() instanceof Numbers(List<Long> group)
                  ? group.getFirst()
                  : Reading.UNLIMITED;
          boolean limited = limit < machine.getFirst();
          long here = limited ? limit : machine.getFirst();
          return new Finding(
              "memory",
              mebibytes(here) + (limited ? " (control group)" : ""),
              mebibytes(needed),
              here >= needed ? Verdict.OK : Verdict.TOO_LOW,
              here >= needed
                  ? ""
                  : limited
                      ? "raise MemoryMax of the systemd unit, or the container's memory limit"
                      : "fewer connections on this machine, or more memory");
        });
  }

  /**
   * From the pressure mark on TCP shrinks the windows of all connections, at the high mark it drops
   * what it gets. It counts a page for each connection that has something under way.
   */
  private static Finding tcpMemory(Host host, long connections) {
    String setting = "net.ipv4.tcp_mem, pages";
    long page = host.pageSize() instanceof Numbers(List<Long> size) ? size.getFirst() : USUAL_PAGE;
    long pressure = Math.max(1, connections * USUAL_PAGE / page);
    long most =
        host.memory() instanceof Numbers(List<Long> bytes)
            ? bytes.getFirst() / 2 / page
            : Reading.UNLIMITED;
    String needed = "pressure %s, high <= %s".formatted(count(pressure), count(most));
    return judged(
        setting,
        needed,
        host.tcpMem(),
        marks -> {
          if (marks.size() != 3) {
            return unknown(setting, needed, "it has %s, expected three numbers".formatted(marks));
          }
          String here = "pressure %s, high %s".formatted(count(marks.get(1)), count(marks.get(2)));
          if (marks.get(2) > most) {
            return new Finding(
                setting,
                here,
                needed,
                Verdict.TOO_HIGH,
                "these are pages, not bytes: TCP may fill the memory; remove it from sysctl.d, the"
                    + " kernel's default follows the memory");
          }
          boolean enough = marks.get(1) >= pressure;
          return new Finding(
              setting,
              here,
              needed,
              enough ? Verdict.OK : Verdict.TOO_LOW,
              enough
                  ? ""
                  : "sysctl -w net.ipv4.tcp_mem=\"%d %d %d\""
                      .formatted(pressure * 3 / 4, pressure, pressure * 3 / 2));
        });
  }

  /**
   * Room for twice as many, since the entries of connections that ended are kept for two minutes.
   */
  private static Finding connectionTracking(String setting, Reading reading, long needed) {
    return reading instanceof Absent
        ? new Finding(setting, "not in use", count(needed), Verdict.OK, "")
        : atLeast(
            setting,
            reading,
            needed,
            sysctl(setting, needed) + " on the host; under Kubernetes kube-proxy sets it");
  }

  private static Finding synBacklog(Host host) {
    if (host.synCookies() instanceof Numbers(List<Long> mode) && mode.getFirst() > 0) {
      return new Finding("net.ipv4.tcp_syncookies", count(mode.getFirst()), "1", Verdict.OK, "");
    }
    return atLeast(
        "net.ipv4.tcp_max_syn_backlog",
        host.synBacklog(),
        SYN_BACKLOG,
        "sysctl -w net.ipv4.tcp_syncookies=1; then it does not matter");
  }

  /** An outgoing connection must not take the port that a node is about to listen on. */
  private static Finding localPorts(Host host) {
    String setting = "net.ipv4.ip_local_port_range";
    String ports = PORTS.stream().map(Object::toString).collect(Collectors.joining(","));
    return judged(
        setting,
        "without " + ports,
        host.localPorts(),
        range -> {
          List<Long> reserved =
              host.reservedPorts() instanceof Numbers(List<Long> ranges) ? ranges : List.of();
          boolean clash =
              PORTS.stream().anyMatch(port -> within(range, port) && !within(reserved, port));
          return new Finding(
              setting,
              range.getFirst() + "-" + range.getLast(),
              "without " + ports,
              clash ? Verdict.TOO_LOW : Verdict.OK,
              clash
                  ? "begin above them, or: sysctl -w net.ipv4.ip_local_reserved_ports=" + ports
                  : "");
        });
  }

  /** Whether a port is in one of the ranges: first, last, first, last, … */
  private static boolean within(List<Long> ranges, long port) {
    for (int first = 0; first + 1 < ranges.size(); first += 2) {
      if (ranges.get(first) <= port && port <= ranges.get(first + 1)) {
        return true;
      }
    }
    return false;
  }

  private static Finding atLeast(String setting, Reading reading, long needed, String advice) {
    return judged(
        setting,
        count(needed),
        reading,
        values -> {
          boolean enough = values.getFirst() >= needed;
          return new Finding(
              setting,
              count(values.getFirst()),
              count(needed),
              enough ? Verdict.OK : Verdict.TOO_LOW,
              enough ? "" : advice);
        });
  }

  private static Finding judged(
      String setting, String needed, Reading reading, Function<List<Long>, Finding> rule) {
    return switch (reading) {
      case Numbers(List<Long> values) -> rule.apply(values);
      case Absent absent ->
          unknown(setting, needed, "not shown here; in a container, look on its host");
      case Unreadable(String reason) -> unknown(setting, needed, reason);
    };
  }

  private static Finding unknown(String setting, String needed, String reason) {
    return new Finding(setting, "?", needed, Verdict.UNKNOWN, reason);
  }

  /** What a thread is refused by. */
  private static Reading soft(Reading limits) {
    return limits instanceof Numbers(List<Long> values) ? Reading.of(values.getFirst()) : limits;
  }

  private static Reading unlimitedIfAbsent(Reading limit) {
    return limit instanceof Absent ? Reading.of(Reading.UNLIMITED) : limit;
  }

  private static String sysctl(String name, long value) {
    return "sysctl -w %s=%d".formatted(name, value);
  }

  private static String mebibytes(long bytes) {
    return count(bytes >> 20) + " MiB";
  }

  private static String count(long value) {
    return value == Reading.UNLIMITED ? "unlimited" : String.format(Locale.ROOT, "%,d", value);
  }
}
