package dev.hawser.gateway.session;

import dev.hawser.gateway.stream.StreamEvent;
import dev.hawser.protocol.client.DisconnectCode;
import dev.hawser.protocol.client.StreamPosition;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.cluster.UniqueAddress;

/**
 * The way to a connection on another node: through the edge there.
 *
 * @param node where the socket is
 * @param has what the connection had when it came: a session that is fed the recent past need not
 *     send all of that to another node again
 */
record RemoteOutbox(
    long id, String device, ActorRef<Edge.Message> edge, UniqueAddress node, long has)
    implements Outbox {

  RemoteOutbox(long id, String device, ActorRef<Edge.Message> edge, UniqueAddress node) {
    this(id, device, edge, node, 0);
  }

  RemoteOutbox having(long offset) {
    return new RemoteOutbox(id, device, edge, node, offset);
  }

  boolean sharesEdgeWith(Outbox other) {
    return other instanceof RemoteOutbox remote && remote.edge.equals(edge);
  }

  @Override
  public void attached(UniqueAddress owner, StreamPosition position, boolean recovered) {
    edge.tell(new Edge.Attached(id, owner, position, recovered));
  }

  @Override
  public void push(StreamEvent event, EncodedPush encoded, long previous) {
    edge.tell(new Edge.Deliver(new long[] {id}, event, previous));
  }

  @Override
  public void nothing(long behind, long upTo) {
    edge.tell(new Edge.Nothing(new long[] {id}, behind, upTo));
  }

  @Override
  public void refresh(long expiresAt) {
    edge.tell(new Edge.Refresh(id, expiresAt));
  }

  @Override
  public void disconnect(DisconnectCode code) {
    edge.tell(new Edge.Disconnect(id, code));
  }

  @Override
  public void released() {
    edge.tell(new Edge.Released(id));
  }
}
