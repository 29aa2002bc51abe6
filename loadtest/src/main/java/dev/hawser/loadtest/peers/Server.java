package dev.hawser.loadtest.peers;

import dev.hawser.loadtest.client.WorkerPlan.Speech;
import java.io.IOException;
import java.net.URI;
import java.util.List;

/** A server that runs, and is measured. */
interface Server extends AutoCloseable {

  /** Where those connect who get messages. */
  URI url();

  Speech speech();

  /** Its name and version, and what it is built on. */
  String versions() throws IOException;

  /** Those that serve clients. */
  List<Long> processes();

  /** Whether its garbage can be collected from outside. */
  boolean isJvm();

  /** Something that publishes to all who are connected. */
  Publisher publisher(int payloadBytes) throws InterruptedException;

  @Override
  void close();
}
