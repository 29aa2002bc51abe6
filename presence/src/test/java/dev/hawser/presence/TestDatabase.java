package dev.hawser.presence;

import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** An empty database, and what an operator sees in it. */
public final class TestDatabase {

  private final EmbeddedPostgreSql server;
  private final String name;

  TestDatabase(EmbeddedPostgreSql server, String name) {
    this.server = server;
    this.name = name;
    server.createDatabase(name);
  }

  /** Settings that make tests quick. */
  public PresenceSettings settings() {
    return settings("");
  }

  PresenceSettings settings(String more) {
    return PresenceSettings.from(
        ConfigFactory.parseString(configuration(more))
            .withFallback(ConfigFactory.load().getConfig("hawser.presence")));
  }

  /** What {@link #settings} are made from; later keys win. */
  String configuration(String more) {
    return """
    database { host = "127.0.0.1", port = %d, name = %s, user = postgres }
    api-keys = [ test-key ]
    linger = 300ms
    flush-interval = 20ms
    heartbeat-interval = 100ms
    node-timeout = 1s
    %s
    """
        .formatted(server.port(), name, more);
  }

  /** A way to it, with its tables. */
  public PresenceDatabase open() {
    var database = PresenceDatabase.forRecording(settings().database());
    database.migrate("presence");
    return database;
  }

  /** A way to it for queries; {@link #open} has made its tables. */
  public PresenceDatabase openForQueries() {
    return PresenceDatabase.forQueries(settings().database());
  }

  /** Moves all stays to the archive that ended some seconds ago. */
  public void archive(PresenceDatabase database) {
    var archive = new PresenceArchive(database, Duration.ofSeconds(1), Optional.empty());
    while (archive.movePage()) {
      // The next page.
    }
  }

  /** Runs a statement. */
  public void execute(String sql) {
    try (var connection = DriverManager.getConnection(server.jdbcUrl(name));
        var statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException failure) {
      throw new AssertionError(failure);
    }
  }

  /** The rows of a query, columns joined with {@code |}. */
  public List<String> rows(String sql) {
    try (var connection = DriverManager.getConnection(server.jdbcUrl(name));
        var statement = connection.createStatement();
        var result = statement.executeQuery(sql)) {
      List<String> rows = new ArrayList<>();
      int columns = result.getMetaData().getColumnCount();
      while (result.next()) {
        List<String> row = new ArrayList<>();
        for (int column = 1; column <= columns; column++) {
          row.add(String.valueOf(result.getString(column)));
        }
        rows.add(String.join("|", row));
      }
      return rows;
    } catch (SQLException failure) {
      throw new AssertionError(failure);
    }
  }

  /** What can never be, whatever nodes do; empty if all is well. */
  List<String> violations() {
    return rows(
        """
        SELECT 'more than one open stay', user_id FROM watching_times
        WHERE terminate_at IS NULL GROUP BY user_id HAVING count(*) > 1
        UNION ALL
        SELECT 'of a node that left: ' || key, user_id
        FROM watching_times CROSS JOIN LATERAL jsonb_object_keys(nodes) AS key
        LEFT JOIN gateway_nodes ON key = node || '#' || incarnation
        WHERE incarnation IS NULL OR removed_at IS NOT NULL
        UNION ALL
        SELECT 'ends before it begins', user_id FROM presence_stays WHERE terminate_at <= join_at
        UNION ALL
        SELECT 'overlaps with the one before', user_id
        FROM (SELECT user_id, join_at,
                     lag(coalesce(terminate_at, 'infinity')) OVER (
                       PARTITION BY user_id ORDER BY join_at, terminate_at NULLS LAST) AS before
              FROM presence_stays) AS stay
        WHERE before > join_at
        UNION ALL
        SELECT 'more than one open view', user_id FROM viewing_times
        WHERE terminate_at IS NULL GROUP BY user_id, resource, idle HAVING count(*) > 1
        UNION ALL
        SELECT 'view of a node that left: ' || key, user_id
        FROM viewing_times CROSS JOIN LATERAL jsonb_object_keys(nodes) AS key
        LEFT JOIN gateway_nodes ON key = node || '#' || incarnation
        WHERE incarnation IS NULL OR viewing_removed_at IS NOT NULL
        UNION ALL
        SELECT 'view overlaps with the one before', user_id
        FROM (SELECT user_id, join_at,
                     lag(coalesce(terminate_at, 'infinity')) OVER (
                       PARTITION BY user_id, resource, idle
                       ORDER BY join_at, terminate_at NULLS LAST) AS before
              FROM viewing_stays) AS view
        WHERE before > join_at
        """);
  }

  /** {@code user|online|nodes} of all stays, oldest first. */
  List<String> stays() {
    return rows(
        "SELECT user_id, terminate_at IS NULL, nodes FROM watching_times ORDER BY user_id, join_at");
  }
}
