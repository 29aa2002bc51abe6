package dev.hawser.loadtest;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The load generator knows the wire and nothing else of the server. */
@AnalyzeClasses(packages = "dev.hawser.loadtest")
class StrangerTest {

  @ArchTest
  static final ArchRule importsNoServerClass =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.hawser.gateway..", "dev.hawser.presence..", "dev.hawser.deploy..");
}
