package dev.hawser.gateway.journal;

import dev.hawser.presence.PresenceDatabase;
import dev.hawser.presence.PresenceSettings;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.Done;
import org.apache.pekko.actor.AbstractExtensionId;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.Extension;
import org.apache.pekko.serialization.Serialization;
import org.apache.pekko.serialization.SerializationExtension;
import org.apache.pekko.serialization.Serializer;
import org.apache.pekko.serialization.Serializers;

/**
 * What the journal and the snapshot store of an actor system share: PostgreSQL, at {@code
 * hawser.presence.database}, with tables that are made at the first use.
 */
final class JournalDatabase implements Extension {

  /** The journal writes, reads, and deletes; so do snapshots. */
  private static final int CONNECTIONS = 4;

  private static final Id ID = new Id();

  private final PresenceDatabase database;
  private final Serialization serialization;
  private CompletableFuture<Done> migrated =
      CompletableFuture.failedFuture(new IllegalStateException("not yet"));

  private static final class Id extends AbstractExtensionId<JournalDatabase> {
    @Override
    public JournalDatabase createExtension(ExtendedActorSystem system) {
      return new JournalDatabase(system);
    }
  }

  static JournalDatabase get(ActorSystem system) {
    return ID.get(system);
  }

  private JournalDatabase(ActorSystem system) {
    var settings = PresenceSettings.from(system.settings().config().getConfig("hawser.presence"));
    this.database = PresenceDatabase.forOthers(settings.database(), "journal", CONNECTIONS);
    this.serialization = SerializationExtension.get(system);
    system.registerOnTermination(database::close);
  }

  /** Completes when the tables are there. */
  synchronized CompletionStage<PresenceDatabase> ready() {
    if (migrated.isCompletedExceptionally()) {
      migrated =
          CompletableFuture.supplyAsync(
              () -> {
                database.migrate(StoredOffsets.TABLES);
                return Done.getInstance();
              },
              // It waits for PostgreSQL; the common pool has one thread on two cores.
              Thread::startVirtualThread);
    }
    return migrated.thenApply(done -> database);
  }

  /** An object as it is stored. */
  record Stored(int serializer, String manifest, byte[] bytes) {}

  /**
   * The form of an object.
   *
   * @throws RuntimeException if it has none
   */
  Stored store(Object object) {
    Serializer serializer = serialization.findSerializerFor(object);
    return new Stored(
        serializer.identifier(),
        Serializers.manifestFor(serializer, object),
        serialization.serialize(object).get());
  }

  Object restore(Stored stored) {
    return serialization.deserialize(stored.bytes(), stored.serializer(), stored.manifest()).get();
  }
}
