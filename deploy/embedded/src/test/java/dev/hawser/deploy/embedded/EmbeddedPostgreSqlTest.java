package dev.hawser.deploy.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedPostgreSqlTest {

  @Test
  void keepsItsDataAndItsPortOverAStopAndANewProcess(@TempDir Path directory) throws Exception {
    int port = LocalPort.free();
    try (var postgreSql = EmbeddedPostgreSql.start(port, directory)) {
      postgreSql.createDatabase("kept");
      execute(postgreSql, "CREATE TABLE greeting AS SELECT 'hello' AS text");
      postgreSql.stop();
      assertThat(LocalPort.isTaken(port)).isFalse();
      postgreSql.restart();
      assertThat(greeting(postgreSql)).isEqualTo("hello");
    }
    try (var again = EmbeddedPostgreSql.start(port, directory)) {
      assertThat(greeting(again)).isEqualTo("hello");
      assertThat(LocalPort.isTaken(port)).isTrue();
    }
    assertThat(LocalPort.isTaken(port)).isFalse();
  }

  private static void execute(EmbeddedPostgreSql postgreSql, String sql) throws SQLException {
    try (var connection = DriverManager.getConnection(postgreSql.jdbcUrl("kept"));
        var statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static String greeting(EmbeddedPostgreSql postgreSql) throws SQLException {
    try (var connection = DriverManager.getConnection(postgreSql.jdbcUrl("kept"));
        var statement = connection.createStatement();
        var rows = statement.executeQuery("SELECT text FROM greeting")) {
      rows.next();
      return rows.getString(1);
    }
  }
}
