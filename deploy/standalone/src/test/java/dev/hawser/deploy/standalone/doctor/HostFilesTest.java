package dev.hawser.deploy.standalone.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.deploy.standalone.doctor.Reading.Absent;
import dev.hawser.deploy.standalone.doctor.Reading.Unreadable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostFilesTest {

  private static final Absent ABSENT = new Absent();

  @TempDir private Path root;

  @Test
  void numbersAreReadFromWhereLinuxShowsThem() throws IOException {
    write(
        "proc/self/limits",
        """
        Limit                     Soft Limit           Hard Limit           Units
        Max processes             96365                unlimited            processes
        Max open files            1024                 524288               files
        """);
    write("proc/sys/fs/nr_open", "1048576\n");
    write("proc/sys/fs/file-max", "9223372036854775807\n");
    write("proc/meminfo", "MemTotal:       24684100 kB\nMemFree:        1 kB\n");
    write(
        "proc/self/smaps", "5600-5601 r--p 00000000 fe:00 1  /bin/java\nKernelPageSize:   64 kB\n");
    write("proc/sys/net/core/somaxconn", "4096\n");
    write("proc/sys/net/ipv4/tcp_syncookies", "1\n");
    write("proc/sys/net/ipv4/tcp_max_syn_backlog", "2048\n");
    write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    write("proc/sys/net/ipv4/ip_local_reserved_ports", "7355,8000-8080\n");
    write("proc/sys/net/ipv4/tcp_mem", "287901\t383870\t575802\n");
    write("proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
    write("proc/sys/net/netfilter/nf_conntrack_buckets", "65536\n");
    write("proc/self/cgroup", "0::/\n");

    assertThat(new HostFiles(root).read())
        .isEqualTo(
            new Host(
                Reading.of(1_024L, 524_288L),
                Reading.of(96_365L, Reading.UNLIMITED),
                Reading.of(1_048_576L),
                Reading.of(Reading.UNLIMITED),
                Reading.of(24_684_100L * 1_024),
                ABSENT,
                ABSENT,
                Reading.of(65_536L),
                Reading.of(4_096L),
                Reading.of(1L),
                Reading.of(2_048L),
                Reading.of(32_768L, 60_999L),
                Reading.of(7_355L, 7_355L, 8_000L, 8_080L),
                Reading.of(287_901L, 383_870L, 575_802L),
                Reading.of(262_144L),
                Reading.of(65_536L)));
  }

  @Test
  void theTightestGroupLimits() throws IOException {
    write("proc/self/cgroup", "0::/kubepods.slice/pod1/node\n");
    write("sys/fs/cgroup/kubepods.slice/memory.max", "8589934592\n");
    write("sys/fs/cgroup/kubepods.slice/pod1/memory.max", "2147483648\n");
    write("sys/fs/cgroup/kubepods.slice/pod1/node/memory.max", "max\n");
    write("sys/fs/cgroup/kubepods.slice/pod1/pids.max", "max\n");
    assertThat(host().memoryLimit()).isEqualTo(Reading.of(2_147_483_648L));
    assertThat(host().pidsLimit()).isEqualTo(Reading.of(Reading.UNLIMITED));
  }

  @Test
  void aContainerSeesItsOwnGroupAtTheTop() throws IOException {
    // The path is one of the host's.
    write("proc/self/cgroup", "0::/../../kubepods.slice/pod1/node\n");
    write("sys/fs/cgroup/memory.max", "1073741824\n");
    assertThat(host().memoryLimit()).isEqualTo(Reading.of(1_073_741_824L));
  }

  @Test
  void versionOneOfControlGroupsHasATreeForEachController() throws IOException {
    write("proc/self/cgroup", "8:pids:/\n4:cpu,memory:/docker/abc\n0::/\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "536870912\n");
    write("sys/fs/cgroup/pids/pids.max", "4194304\n");
    assertThat(host().memoryLimit()).isEqualTo(Reading.of(536_870_912L));
    assertThat(host().pidsLimit()).isEqualTo(Reading.of(4_194_304L));
  }

  @Test
  void whatIsNotThereIsAbsent() throws IOException {
    write("proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\n");
    assertThat(host().openFiles()).isEqualTo(ABSENT);
    assertThat(host().memoryLimit()).isEqualTo(ABSENT);
    assertThat(host().connectionTracking()).isEqualTo(ABSENT);
    write("proc/sys/net/ipv4/ip_local_reserved_ports", "\n");
    assertThat(host().reservedPorts()).isEqualTo(ABSENT);
  }

  @Test
  void whatIsNotUnderstoodSaysSo() throws IOException {
    write("proc/sys/fs/nr_open", "many\n");
    assertThat(host().nrOpen())
        .isEqualTo(new Unreadable("/proc/sys/fs/nr_open has \"many\", expected numbers"));
    write("proc/sys/net/ipv4/ip_local_reserved_ports", "8000-\n");
    assertThat(host().reservedPorts()).isInstanceOf(Unreadable.class);
    // A directory can be opened and not be read, as a file that is forbidden.
    Files.createDirectories(root.resolve("proc/sys/net/core/somaxconn"));
    assertThat(host().somaxconn())
        .isEqualTo(new Unreadable("/proc/sys/net/core/somaxconn: IOException"));
  }

  private Host host() {
    return new HostFiles(root).read();
  }

  private void write(String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
