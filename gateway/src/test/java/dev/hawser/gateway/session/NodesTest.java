package dev.hawser.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.cluster.UniqueAddress;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which of two nodes clients are sent to: one has the only shard. */
class NodesTest {

  private static final UniqueAddress OWNER = node(1);
  private static final UniqueAddress OTHER = node(2);

  private final Nodes nodes = new Nodes(1);

  private static UniqueAddress node(long uid) {
    return new UniqueAddress(AddressFromURIString.parse("pekko://hawser@127.0.0.1:7355"), uid);
  }

  private void say(UniqueAddress node, boolean ready) {
    long fed = node.equals(OWNER) ? 7 : Feeds.NOT_FED;
    String url = node.equals(OWNER) ? "ws://owner" : "ws://other";
    nodes.heard(new Edge.Status(node, url, ready, new long[] {fed}));
  }

  @BeforeEach
  void bothAreReady() {
    say(OWNER, true);
    say(OTHER, true);
  }

  @Test
  void theOwnerIsNamed() {
    assertThat(nodes.urlOf("alice")).hasValue("ws://owner");
  }

  @Test
  void aNodeThatIsNotReadyIsNotNamed() {
    say(OWNER, false);
    assertThat(nodes.urlOf("alice")).isEmpty();
    assertThat(nodes.anyUrl()).hasValue("ws://other");
    say(OTHER, false);
    assertThat(nodes.anyUrl()).isEmpty();
  }

  @Test
  void aNodeThatSeemsToBeDeadIsNotNamedUntilItIsSeenAgain() {
    nodes.reachable(OWNER, false);
    assertThat(nodes.urlOf("alice")).isEmpty();
    assertThat(nodes.anyUrl()).hasValue("ws://other");
    nodes.reachable(OWNER, true);
    assertThat(nodes.urlOf("alice")).hasValue("ws://owner");
  }

  @Test
  void aNodeThatIsGoneIsNotNamedWhateverIsStillHeardOfIt() {
    nodes.reachable(OWNER, false);
    nodes.removed(OWNER);
    nodes.reachable(OWNER, true);
    say(OWNER, true);
    assertThat(nodes.urlOf("alice")).isEmpty();
    assertThat(nodes.isPresent(OWNER)).isFalse();
  }
}
