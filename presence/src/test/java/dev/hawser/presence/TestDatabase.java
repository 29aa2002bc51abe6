package dev.hawser.presence;

import com.typesafe.config.ConfigFactory;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

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
        ConfigFactory.parseString(more)
            .withFallback(
                ConfigFactory.parseString(
                    """
                    database { host = "127.0.0.1", port = %d, name = %s, user = postgres }
                    api-keys = [ test-key ]
                    linger = 300ms
                    flush-interval = 20ms
                    heartbeat-interval = 100ms
                    node-timeout = 1s
                    """
                        .formatted(server.port(), name)))
            .withFallback(ConfigFactory.load().getConfig("hawser.presence")));
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
    var archive = new PresenceArchive(database, settings("archive-after = 1s"));
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

  /** {@code user|online|nodes} of all stays, oldest first. */
  List<String> stays() {
    return rows(
        "SELECT user_id, terminate_at IS NULL, nodes FROM watching_times ORDER BY user_id, join_at");
  }
}
