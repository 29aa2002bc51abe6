package dev.hawser.deploy.standalone.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.deploy.standalone.doctor.Finding.Verdict;
import dev.hawser.deploy.standalone.doctor.Reading.Absent;
import dev.hawser.deploy.standalone.doctor.Reading.Unreadable;
import java.util.List;
import org.junit.jupiter.api.Test;

class RulesTest {

  private static final Absent ABSENT = new Absent();
  private static final long GIB = 1L << 30;

  private Reading openFiles = Reading.of(1_024L, 524_288L);
  private Reading memory = Reading.of(24 * GIB);
  private Reading memoryLimit = ABSENT;
  private Reading pidsLimit = ABSENT;
  private Reading pageSize = Reading.of(4_096L);
  private Reading synCookies = Reading.of(1L);
  private Reading localPorts = Reading.of(32_768L, 60_999L);
  private Reading reservedPorts = ABSENT;
  private Reading tcpMem = Reading.of(287_901L, 383_870L, 575_802L);
  private Reading connectionTracking = ABSENT;
  private Reading connectionBuckets = ABSENT;

  private Finding finding(String setting, long connections) {
    var host =
        new Host(
            openFiles,
            Reading.of(96_365L, 96_365L),
            Reading.of(1_048_576L),
            Reading.of(2_466_190L),
            memory,
            memoryLimit,
            pidsLimit,
            pageSize,
            Reading.of(4_096L),
            synCookies,
            Reading.of(2_048L),
            localPorts,
            reservedPorts,
            tcpMem,
            connectionTracking,
            connectionBuckets);
    List<Finding> findings =
        Rules.judge(host, connections).stream()
            .filter(found -> found.setting().startsWith(setting))
            .toList();
    assertThat(findings).as(setting).hasSize(1);
    return findings.getFirst();
  }

  private Verdict verdict(String setting, long connections) {
    return finding(setting, connections).verdict();
  }

  @Test
  void theHardLimitOfFilesCountsNotTheSoftOne() {
    assertThat(verdict("nofile", 523_288)).isEqualTo(Verdict.OK);
    assertThat(verdict("nofile", 523_289)).isEqualTo(Verdict.TOO_LOW);
    assertThat(finding("nofile", 600_000).advice()).contains("LimitNOFILE=601000");
    assertThat(finding("nofile", 1).here()).isEqualTo("1,024 / 524,288");
    openFiles = Reading.of(1_024L, Reading.UNLIMITED);
    assertThat(verdict("nofile", 10_000_000)).isEqualTo(Verdict.OK);
  }

  @Test
  void filesOfAProcessAndOfTheMachineAreTwoLimits() {
    assertThat(verdict("fs.nr_open", 1_047_576)).isEqualTo(Verdict.OK);
    assertThat(verdict("fs.nr_open", 1_047_577)).isEqualTo(Verdict.TOO_LOW);
    assertThat(verdict("fs.file-max", 2_455_190)).isEqualTo(Verdict.OK);
    assertThat(verdict("fs.file-max", 2_455_191)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void theSmallerOfMachineAndControlGroupIsTheMemory() {
    assertThat(verdict("memory", 1_000_000)).isEqualTo(Verdict.OK);
    memoryLimit = Reading.of(2 * GIB);
    assertThat(verdict("memory", 98_304)).isEqualTo(Verdict.OK);
    assertThat(verdict("memory", 98_305)).isEqualTo(Verdict.TOO_LOW);
    assertThat(finding("memory", 98_305).here()).isEqualTo("2,048 MiB (control group)");
    memoryLimit = Reading.of(Reading.UNLIMITED);
    assertThat(finding("memory", 1).here()).isEqualTo("24,576 MiB");
  }

  @Test
  void bytesWhereTcpCountsPagesAreTooMuch() {
    assertThat(verdict("net.ipv4.tcp_mem", 383_870)).isEqualTo(Verdict.OK);
    assertThat(finding("net.ipv4.tcp_mem", 400_000))
        .satisfies(low -> assertThat(low.verdict()).isEqualTo(Verdict.TOO_LOW))
        .satisfies(low -> assertThat(low.advice()).contains("\"300000 400000 600000\""));
    // As many guides have it: 16 MiB in bytes is 64 GiB in pages.
    tcpMem = Reading.of(16_777_216L, 16_777_216L, 16_777_216L);
    assertThat(verdict("net.ipv4.tcp_mem", 1_000)).isEqualTo(Verdict.TOO_HIGH);
    assertThat(finding("net.ipv4.tcp_mem", 1_000).isProblem()).isTrue();
  }

  @Test
  void aLargerPageCountsForMoreConnections() {
    pageSize = Reading.of(65_536L);
    tcpMem = Reading.of(7_500L, 10_000L, 15_000L);
    assertThat(verdict("net.ipv4.tcp_mem", 160_000)).isEqualTo(Verdict.OK);
    assertThat(verdict("net.ipv4.tcp_mem", 160_016)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void connectionTrackingMattersWhereItIsInUse() {
    String most = "net.netfilter.nf_conntrack_max";
    String buckets = "net.netfilter.nf_conntrack_buckets";
    assertThat(finding(most, 1_000_000).here()).isEqualTo("not in use");
    assertThat(finding(buckets, 1_000_000).here()).isEqualTo("not in use");
    connectionTracking = Reading.of(262_144L);
    assertThat(verdict(most, 131_072)).isEqualTo(Verdict.OK);
    assertThat(verdict(most, 131_073)).isEqualTo(Verdict.TOO_LOW);
    connectionBuckets = Reading.of(65_536L);
    assertThat(verdict(buckets, 65_536)).isEqualTo(Verdict.OK);
    assertThat(verdict(buckets, 65_537)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void theSynBacklogMattersWithoutCookies() {
    assertThat(verdict("net.ipv4.tcp_syncookies", 1_000)).isEqualTo(Verdict.OK);
    synCookies = Reading.of(0L);
    assertThat(verdict("net.ipv4.tcp_max_syn_backlog", 1_000)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void outgoingConnectionsMustNotTakeTheNodesPorts() {
    assertThat(verdict("net.ipv4.ip_local_port_range", 1)).isEqualTo(Verdict.OK);
    localPorts = Reading.of(1_024L, 65_535L);
    assertThat(verdict("net.ipv4.ip_local_port_range", 1)).isEqualTo(Verdict.TOO_LOW);
    reservedPorts = Reading.of(7_355L, 7_355L, 7_626L, 7_626L, 8_000L, 8_080L);
    assertThat(verdict("net.ipv4.ip_local_port_range", 1)).isEqualTo(Verdict.OK);
    reservedPorts = Reading.of(8_000L, 8_080L);
    assertThat(verdict("net.ipv4.ip_local_port_range", 1)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void noControlGroupIsNoLimitOfThreads() {
    assertThat(finding("threads, control group", 1).here()).isEqualTo("unlimited");
    pidsLimit = Reading.of(100L);
    assertThat(verdict("threads, control group", 1)).isEqualTo(Verdict.TOO_LOW);
  }

  @Test
  void whatCannotBeReadIsUnknownAndNoProblem() {
    tcpMem = ABSENT;
    assertThat(finding("net.ipv4.tcp_mem", 1))
        .satisfies(unknown -> assertThat(unknown.verdict()).isEqualTo(Verdict.UNKNOWN))
        .satisfies(unknown -> assertThat(unknown.advice()).contains("not shown here"))
        .satisfies(unknown -> assertThat(unknown.isProblem()).isFalse());
    openFiles = new Unreadable("/proc/self/limits: AccessDeniedException");
    assertThat(finding("nofile", 1).advice()).isEqualTo("/proc/self/limits: AccessDeniedException");
  }
}
