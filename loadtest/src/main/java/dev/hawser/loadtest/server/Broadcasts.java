package dev.hawser.loadtest.server;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/** The topic whose records are for everyone. */
public final class Broadcasts {

  /** Its name. */
  public static final String TOPIC = "hawser.broadcast";

  private Broadcasts() {}

  /** Creates it where it is not there yet; auto-creation may be off. */
  public static void createTopic(String kafka) throws InterruptedException {
    try (Admin admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, kafka))) {
      admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
    } catch (ExecutionException failure) {
      if (!(failure.getCause() instanceof TopicExistsException)) {
        throw new IllegalStateException("cannot create topic " + TOPIC, failure.getCause());
      }
    }
  }
}
