package dev.hawser.deploy.standalone.doctor;

import dev.hawser.deploy.standalone.doctor.Reading.Absent;
import dev.hawser.deploy.standalone.doctor.Reading.Numbers;
import dev.hawser.deploy.standalone.doctor.Reading.Unreadable;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The files in which Linux shows limits and settings. */
public final class HostFiles {

  private static final Pattern BLANK = Pattern.compile("\\s+");
  private static final long KIB = 1_024;

  private final Path root;

  /** Below a directory: {@code /}, but for tests. */
  public HostFiles(Path root) {
    this.root = root;
  }

  /** Reads all of it; what cannot be read says so itself. */
  public Host read() {
    return new Host(
        limit("Max open files"),
        limit("Max processes"),
        sysctl("fs/nr_open"),
        sysctl("fs/file-max"),
        kibibytes("proc/meminfo", "MemTotal:"),
        controlGroup("memory", "memory.max", "memory.limit_in_bytes"),
        controlGroup("pids", "pids.max", "pids.max"),
        kibibytes("proc/self/smaps", "KernelPageSize:"),
        sysctl("net/core/somaxconn"),
        sysctl("net/ipv4/tcp_syncookies"),
        sysctl("net/ipv4/tcp_max_syn_backlog"),
        sysctl("net/ipv4/ip_local_port_range"),
        portRanges("proc/sys/net/ipv4/ip_local_reserved_ports"),
        sysctl("net/ipv4/tcp_mem"),
        sysctl("net/netfilter/nf_conntrack_max"),
        sysctl("net/netfilter/nf_conntrack_buckets"));
  }

  private Reading sysctl(String name) {
    return numbers("proc/sys/" + name, "", 1);
  }

  /** {@code Max open files 1024 524288 files}: the soft and the hard limit. */
  private Reading limit(String name) {
    return numbers("proc/self/limits", name, 1);
  }

  /** {@code MemTotal: 24684100 kB}. */
  private Reading kibibytes(String file, String name) {
    return numbers(file, name, KIB);
  }

  /** {@code 8000,8080-8090} is 8000, 8000, 8080, 8090. */
  private Reading portRanges(String file) {
    String text;
    try {
      text = Files.readString(root.resolve(file)).strip();
    } catch (IOException failure) {
      return unread(file, failure);
    }
    var ports = new ArrayList<Long>();
    for (String range : text.isEmpty() ? new String[0] : text.split(",", -1)) {
      String[] ends = range.split("-", 2);
      try {
        ports.add(Long.parseLong(ends[0]));
        ports.add(Long.parseLong(ends[ends.length - 1]));
      } catch (NumberFormatException strange) {
        return notNumbers(file, text);
      }
    }
    return ports.isEmpty() ? new Absent() : new Numbers(ports);
  }

  /**
   * The smallest limit of the groups this process is in: its own and those around it. In a
   * container the path of the own group may be one of the host, which is not there; then the
   * container's, at the top, counts.
   */
  private Reading controlGroup(String controller, String file, String fileV1) {
    List<String> groups;
    try {
      groups = Files.readAllLines(root.resolve("proc/self/cgroup"));
    } catch (IOException failure) {
      return unread("proc/self/cgroup", failure);
    }
    var limit = OptionalLong.empty();
    for (String group : groups) {
      // hierarchy:controllers:path
      String[] parts = group.split(":", 3);
      if (parts.length < 3) {
        return notNumbers("proc/self/cgroup", group);
      }
      boolean v2 = parts[1].isEmpty();
      if (!v2 && !List.of(parts[1].split(",")).contains(controller)) {
        continue;
      }
      String top = "sys/fs/cgroup" + (v2 ? "" : "/" + controller);
      String path = parts[2].contains("..") ? "" : parts[2];
      for (String own = path; ; own = own.substring(0, Math.max(0, own.lastIndexOf('/')))) {
        switch (numbers(top + own + "/" + (v2 ? file : fileV1), "", 1)) {
          case Numbers(List<Long> values) ->
              limit = OptionalLong.of(Math.min(limit.orElse(Reading.UNLIMITED), values.getFirst()));
          case Unreadable unreadable -> {
            return unreadable;
          }
          case Absent absent -> {}
        }
        if (own.isEmpty()) {
          break;
        }
      }
    }
    return limit.isEmpty() ? new Absent() : Reading.of(limit.getAsLong());
  }

  /** The numbers behind {@code name} in the first line that begins with it. */
  private Reading numbers(String file, String name, long unit) {
    String line;
    try (BufferedReader lines = Files.newBufferedReader(root.resolve(file))) {
      do {
        line = lines.readLine();
      } while (line != null && !line.startsWith(name));
    } catch (IOException failure) {
      return unread(file, failure);
    }
    if (line == null) {
      return new Absent();
    }
    var values = new ArrayList<Long>();
    for (String word : BLANK.split(line.substring(name.length()).strip(), -1)) {
      Long value = number(word);
      if (value == null) {
        break;
      }
      values.add(value == Reading.UNLIMITED ? value : value * unit);
    }
    return values.isEmpty() ? notNumbers(file, line) : new Numbers(values);
  }

  private static @Nullable Long number(String word) {
    if (word.equals("unlimited") || word.equals("max")) {
      return Reading.UNLIMITED;
    }
    if (word.isEmpty() || !word.chars().allMatch(Character::isDigit)) {
      return null;
    }
    // "No limit" is also written as a number near 2^63, in version 1 of control groups for one.
    return word.length() > 18 ? Reading.UNLIMITED : Long.valueOf(word);
  }

  private static Reading unread(String file, IOException failure) {
    return failure instanceof NoSuchFileException
        ? new Absent()
        : new Unreadable("/%s: %s".formatted(file, failure.getClass().getSimpleName()));
  }

  private static Reading notNumbers(String file, String text) {
    return new Unreadable("/%s has \"%s\", expected numbers".formatted(file, text));
  }
}
