package dev.hawser.deploy.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PortsTest {

  @Test
  void thoseOfAsManyNodesAsCanBeDoNotCollide() {
    int ofNodes = 4 * Ports.MAX_NODES;
    int ofOthers = 3;
    assertThat(Ports.movedBy(10_000).purposes(Ports.MAX_NODES))
        .hasSize(ofNodes + ofOthers)
        .allSatisfy((port, purpose) -> assertThat(port).isBetween(1, 65_535));
  }
}
