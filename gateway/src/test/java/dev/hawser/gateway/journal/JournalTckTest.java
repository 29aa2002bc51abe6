package dev.hawser.gateway.journal;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import org.apache.pekko.persistence.CapabilityFlag;
import org.apache.pekko.persistence.japi.journal.JavaJournalSpec;
import org.apache.pekko.persistence.japi.snapshot.JavaSnapshotStoreSpec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.scalatest.tools.Runner;

/**
 * Pekko's own tests of journals and snapshot stores. They are ScalaTest's, so its runner runs them.
 */
class JournalTckTest {

  private static final EmbeddedPostgreSql POSTGRE_SQL = EmbeddedPostgreSql.start();

  private static Config settings() {
    POSTGRE_SQL.createDatabase("tck");
    return settings(POSTGRE_SQL, "tck");
  }

  /** The settings of a node's journal, without the node. */
  static Config settings(EmbeddedPostgreSql postgreSql, String database) {
    return ConfigFactory.parseString(
            """
            hawser.cluster.port = 0
            pekko.remote.artery.canonical.port = 0
            pekko.actor.provider = local
            # The tables are made first, and the machine may be busy.
            pekko.test.timefactor = 5
            pekko.test.single-expect-default = 15s
            pekko.actor.allow-java-serialization = on
            pekko.actor.warn-about-java-serializer-usage = off
            hawser.presence.database { host = "127.0.0.1", port = %d, name = %s, user = postgres }
            """
                .formatted(postgreSql.port(), database))
        .withFallback(ConfigFactory.parseResources("hawser-pekko.conf"))
        .withFallback(ConfigFactory.defaultReferenceUnresolved())
        .resolve();
  }

  @AfterAll
  static void stop() {
    POSTGRE_SQL.close();
  }

  /** Run by ScalaTest. */
  public static final class OfJournal extends JavaJournalSpec {
    public OfJournal() {
      super(settings());
    }

    @Override
    public CapabilityFlag supportsRejectingNonSerializableObjects() {
      return CapabilityFlag.on();
    }

    @Override
    public CapabilityFlag supportsSerialization() {
      return CapabilityFlag.on();
    }
  }

  /** Run by ScalaTest. */
  public static final class OfSnapshotStore extends JavaSnapshotStoreSpec {
    public OfSnapshotStore() {
      super(settings());
    }

    @Override
    public CapabilityFlag supportsSerialization() {
      return CapabilityFlag.on();
    }
  }

  @Test
  void theJournalPasses() {
    assertThat(passes(OfJournal.class)).isTrue();
  }

  @Test
  void theSnapshotStorePasses() {
    assertThat(passes(OfSnapshotStore.class)).isTrue();
  }

  private static boolean passes(Class<?> specification) {
    return Runner.run(new String[] {"-s", specification.getName(), "-oW"});
  }
}
