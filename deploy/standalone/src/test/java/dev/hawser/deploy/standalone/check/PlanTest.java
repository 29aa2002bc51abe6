package dev.hawser.deploy.standalone.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.deploy.standalone.check.Fault.Kind;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PlanTest {

  private static final Duration LONG = Duration.ofMinutes(10);

  private static Plan plan(long seed, Set<Track> tracks) {
    return Plan.of(seed, LONG, tracks);
  }

  @Test
  void aSeedIsAPlanAndAnotherIsAnother() {
    Set<Track> all = EnumSet.allOf(Track.class);
    assertThat(plan(7, all)).isEqualTo(plan(7, all));
    assertThat(plan(7, all).faults()).isNotEqualTo(plan(8, all).faults());
  }

  @Test
  void aTrackIsTheSameWithoutTheOthers() {
    List<Fault> alone = plan(7, EnumSet.of(Track.PARTS)).faults();
    assertThat(plan(7, EnumSet.allOf(Track.class)).faults()).containsSubsequence(alone);
    assertThat(alone).isNotEmpty().allMatch(fault -> fault.kind().track == Track.PARTS);
  }

  @Test
  void everythingBreaks() {
    assertThat(plan(7, EnumSet.allOf(Track.class)).faults().stream().map(Fault::kind))
        .containsAll(Arrays.asList(Kind.values()));
  }
}
