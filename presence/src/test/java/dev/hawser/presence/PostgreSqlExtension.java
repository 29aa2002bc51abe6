package dev.hawser.presence;

import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives each test that asks for a {@link TestDatabase} an empty one, on one real server for all.
 */
public final class PostgreSqlExtension implements ParameterResolver {

  private static final Namespace NAMESPACE = Namespace.create(PostgreSqlExtension.class);
  private static final AtomicInteger DATABASES = new AtomicInteger();

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == TestDatabase.class;
  }

  @Override
  public TestDatabase resolveParameter(ParameterContext parameter, ExtensionContext context) {
    var server =
        context
            .getRoot()
            .getStore(NAMESPACE)
            .computeIfAbsent("server", key -> EmbeddedPostgreSql.start(), EmbeddedPostgreSql.class);
    return new TestDatabase(server, "presence_" + DATABASES.incrementAndGet());
  }
}
