package dev.hawser.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.flywaydb.core.Flyway;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(PostgreSqlExtension.class)
class PresenceArchiveTest {

  private TestDatabase database;
  private PresenceDatabase connections;

  @BeforeEach
  void open(TestDatabase empty) {
    database = empty;
    connections = empty.open();
  }

  @AfterEach
  void close() {
    connections.close();
  }

  private PresenceArchive archive(String settings) {
    return archive(connections, database.settings(settings));
  }

  private static PresenceArchive archive(PresenceDatabase connections, PresenceSettings settings) {
    return new PresenceArchive(connections, settings.archiveAfter(), settings.retention());
  }

  private static void move(PresenceArchive archive) {
    while (archive.movePage()) {
      // The next page.
    }
  }

  private void stay(String user, String begin, String end) {
    database.execute(
        """
        INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
        VALUES ('%s', now() - interval '%s', now() - interval '%s', '{}')
        """
            .formatted(user, begin, end));
  }

  private List<String> months() {
    return database.rows(
        """
        SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent = 'watching_times_archive'::regclass ORDER BY 1
        """);
  }

  @Test
  void onlyStaysThatEndedAWhileAgoAreMoved() {
    stay("alice", "3 hours", "2 hours");
    stay("alice", "110 minutes", "100 minutes");
    stay("bob", "30 days", "59 minutes");
    database.execute(
        "INSERT INTO watching_times (user_id, join_at, nodes)"
            + " VALUES ('alice', now() - interval '90 minutes', '{\"n#1\": 1}')");
    List<String> all = database.rows("SELECT * FROM presence_stays ORDER BY id");
    move(archive("archive-after = 1h"));
    assertThat(database.stays()).containsExactly("alice|t|{\"n#1\": 1}", "bob|f|{}");
    assertThat(database.rows("SELECT * FROM presence_stays ORDER BY id")).isEqualTo(all);
    assertThat(
            database.rows(
                """
                SELECT user_id, now() - first_seen_at > '3 hours', now() - last_seen_at < '101 minutes'
                FROM watching_users
                """))
        .containsExactly("alice|t|t");
  }

  @Test
  void severalMayMoveAtOnce() throws Exception {
    database.execute(
        """
        INSERT INTO watching_times (user_id, join_at, terminate_at, nodes)
        SELECT 'user-' || number % 500, now() - number * interval '1 minute' - interval '3 hours',
               now() - number * interval '1 minute' - interval '2 hours 59 minutes 30 seconds', '{}'
        FROM generate_series(1, 20000) AS number
        """);
    var movers =
        IntStream.range(0, 3)
            .mapToObj(i -> CompletableFuture.runAsync(() -> move(archive(""))))
            .toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(movers).get(60, TimeUnit.SECONDS);
    move(archive(""));
    assertThat(
            database.rows(
                """
                SELECT (SELECT count(*) FROM watching_times),
                       (SELECT count(DISTINCT id) FROM watching_times_archive),
                       (SELECT count(*) FROM watching_users),
                       (SELECT count(*) FROM watching_users AS seen WHERE (first_seen_at, last_seen_at)
                        IS DISTINCT FROM (SELECT (min(join_at), max(terminate_at))
                          FROM watching_times_archive WHERE user_id = seen.user_id))
                """))
        .containsExactly("0|20000|500|0");
  }

  @Test
  void monthsAreCreatedAheadAndStaysOfWildClocksHaveAPlace() {
    database.execute("DROP TABLE " + months().get(1));
    archive("").createMonths();
    archive("").createMonths();
    assertThat(months()).hasSize(3).contains("watching_times_other");
    stay("alice", "40 years", "39 years");
    move(archive(""));
    assertThat(database.rows("SELECT user_id FROM watching_times_other")).containsExactly("alice");
  }

  @Test
  void whatIsOlderThanTheRetentionIsForgotten() {
    for (int days : new int[] {0, 100, 200}) {
      database.execute(
          "SELECT presence_month('watching_times', now() - interval '" + days + " days')");
      stay("user-" + days, (days + 1) + " days", days + " days 2 hours");
    }
    stay("wild", "40 years", "39 years");
    move(archive(""));
    int before = months().size();
    assertThat(archive("").forgetPage()).isFalse();
    assertThat(months()).hasSize(before);
    assertThat(archive("retention = 150d").forgetPage()).isFalse();
    assertThat(months()).hasSize(before - 1);
    assertThat(database.rows("SELECT user_id FROM presence_stays ORDER BY 1"))
        .isEqualTo(database.rows("SELECT user_id FROM watching_users ORDER BY 1"))
        .containsExactly("user-0", "user-100");
  }

  @Test
  void whatWasRecordedBeforeTheArchiveGetsItsMonths(TestDatabase old) {
    var server = old.settings().database();
    var unused =
        Flyway.configure()
            .dataSource(
                "jdbc:postgresql://%s:%d/%s".formatted(server.host(), server.port(), server.name()),
                server.user(),
                "")
            .locations("classpath:db/presence")
            .table("presence_schema_history")
            .target("1")
            .load()
            .migrate();
    database = old;
    stay("alice", "65 days", "64 days");
    try (PresenceDatabase migrated = old.open()) {
      assertThat(months()).hasSizeBetween(5, 6);
      move(archive(migrated, old.settings()));
    }
    assertThat(old.rows("SELECT count(*) FROM watching_times_other")).containsExactly("0");
    assertThat(old.rows("SELECT user_id FROM presence_stays")).containsExactly("alice");
  }

  @Test
  void theServiceArchives() throws Exception {
    stay("alice", "3 minutes", "2 minutes");
    var service = PresenceService.start(database.settings("archive-after = 1m"), "10.0.0.1:7355");
    await()
        .untilAsserted(
            () ->
                assertThat(database.rows("SELECT user_id FROM watching_times_archive"))
                    .containsExactly("alice"));
    service.stop().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }
}
