package dev.hawser.gateway;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Which package may use which; ARCHITECTURE.md says why. */
@AnalyzeClasses(packages = "dev.hawser.gateway", importOptions = DoNotIncludeTests.class)
class LayeringTest {

  @ArchTest
  static final ArchRule doorsUseConnectionsAndNeverEachOther =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("root")
          .definedBy("dev.hawser.gateway")
          .layer("socket")
          .definedBy("dev.hawser.gateway.socket")
          .layer("http")
          .definedBy("dev.hawser.gateway.http")
          .layer("kafka")
          .definedBy("dev.hawser.gateway.kafka")
          .layer("metrics")
          .definedBy("dev.hawser.gateway.metrics")
          .layer("connection")
          .definedBy("dev.hawser.gateway.connection")
          .layer("session")
          .definedBy("dev.hawser.gateway.session")
          .whereLayer("root")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("socket")
          .mayOnlyBeAccessedByLayers("root")
          .whereLayer("http")
          .mayOnlyBeAccessedByLayers("root")
          .whereLayer("kafka")
          .mayOnlyBeAccessedByLayers("root")
          .whereLayer("metrics")
          .mayOnlyBeAccessedByLayers("root")
          .whereLayer("connection")
          .mayOnlyBeAccessedByLayers("root", "socket", "http", "kafka", "metrics")
          .whereLayer("session")
          .mayOnlyBeAccessedByLayers("root", "http", "kafka", "connection")
          .layer("cluster")
          .definedBy("dev.hawser.gateway.cluster")
          .whereLayer("cluster")
          .mayOnlyBeAccessedByLayers("root")
          .layer("journal")
          .definedBy("dev.hawser.gateway.journal")
          .whereLayer("journal")
          .mayOnlyBeAccessedByLayers("root")
          .layer("stream")
          .definedBy("dev.hawser.gateway.stream")
          .whereLayer("stream")
          .mayOnlyBeAccessedByLayers("root", "session", "kafka", "journal");

  @ArchTest
  static final ArchRule connectionsAndSessionsKnowNeitherNettyNorHttpNorKafka =
      noClasses()
          .that()
          .resideInAnyPackage("..gateway.connection..", "..gateway.session..", "..gateway.stream..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.netty..", "org.apache.pekko.http..", "org.apache.kafka..");

  @ArchTest
  static final ArchRule nettyStaysAtItsDoor =
      noClasses()
          .that()
          .resideOutsideOfPackage("..gateway.socket..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.netty..");

  @ArchTest
  static final ArchRule sqlStaysInTheJournal =
      noClasses()
          .that()
          .resideOutsideOfPackage("..gateway.journal..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.sql..", "io.r2dbc..", "org.flywaydb..");
}
