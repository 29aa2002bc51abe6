package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** Kubernetes objects, read as strictly as the API server does when it is asked to. */
record Manifests(List<HasMetadata> objects) {

  /** deploy/kubernetes. */
  static final Path DIRECTORY = Path.of("..", "kubernetes");

  private static final Map<String, Class<? extends HasMetadata>> KINDS =
      Stream.of(
              ConfigMap.class,
              CustomResourceDefinition.class,
              Deployment.class,
              HorizontalPodAutoscaler.class,
              Ingress.class,
              Job.class,
              Namespace.class,
              NetworkPolicy.class,
              PodDisruptionBudget.class,
              Role.class,
              RoleBinding.class,
              Secret.class,
              Service.class,
              ServiceAccount.class,
              StatefulSet.class)
          .collect(Collectors.toMap(HasMetadata::getKind, Function.identity()));

  /** Fields that the model does not know, and values of another type, fail. */
  private static final ObjectMapper STRICT = strict();

  private static ObjectMapper strict() {
    var mapper =
        JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .annotationIntrospector(
                new JacksonAnnotationIntrospector() {
                  // The model keeps what it does not know; here it must not.
                  @Override
                  public Boolean hasAnySetter(Annotated annotated) {
                    return false;
                  }
                })
            .build();
    for (var shape :
        List.of(CoercionInputShape.Integer, CoercionInputShape.Float, CoercionInputShape.Boolean)) {
      mapper.coercionConfigFor(LogicalType.Textual).setCoercion(shape, CoercionAction.Fail);
    }
    return mapper;
  }

  /** Parses the documents of a YAML text. */
  static Manifests parse(String yaml) {
    var objects = new ArrayList<HasMetadata>();
    var settings = LoadSettings.builder().setAllowDuplicateKeys(false).build();
    for (Object document : new Load(settings).loadAllFromString(yaml)) {
      var fields = (Map<?, ?>) document;
      Class<? extends HasMetadata> type = KINDS.get(String.valueOf(fields.get("kind")));
      assertThat(type).as("kind %s", fields.get("kind")).isNotNull();
      HasMetadata object = STRICT.convertValue(document, type);
      assertThat(object.getApiVersion()).isEqualTo(HasMetadata.getApiVersion(type));
      objects.add(object);
    }
    return new Manifests(objects);
  }

  /**
   * The files that a directory's kustomization.yaml names, as they are: without what it takes from
   * other directories, generates and patches.
   */
  static Manifests files(String directory) throws IOException {
    Path path = DIRECTORY.resolve(directory);
    var kustomization =
        (Map<?, ?>)
            new Load(LoadSettings.builder().build())
                .loadFromString(Files.readString(path.resolve("kustomization.yaml")));
    var yaml = new ArrayList<String>();
    for (Object resource : requireNonNull((List<?>) kustomization.get("resources"))) {
      if (resource.toString().endsWith(".yaml")) {
        yaml.add(Files.readString(path.resolve(resource.toString())));
      }
    }
    return parse(String.join("\n---\n", yaml));
  }

  /** Whether there is a kubectl to render with. */
  static boolean canRender() {
    return Stream.of(System.getenv("PATH").split(java.io.File.pathSeparator, -1))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, "kubectl")));
  }

  /** {@code kubectl kustomize} of a directory below {@link #DIRECTORY}. */
  static Manifests render(String directory) throws IOException, InterruptedException {
    Process kubectl =
        new ProcessBuilder("kubectl", "kustomize", DIRECTORY.resolve(directory).toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String yaml = new String(kubectl.getInputStream().readAllBytes(), UTF_8);
    assertThat(kubectl.waitFor()).as("exit code of kubectl kustomize %s", directory).isZero();
    return parse(yaml);
  }

  /** All of a kind. */
  <T> List<T> all(Class<T> type) {
    return objects.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /** The only one of a kind. */
  <T> T only(Class<T> type) {
    List<T> all = all(type);
    assertThat(all).as(type.getSimpleName()).hasSize(1);
    return all.getFirst();
  }
}
