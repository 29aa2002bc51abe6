package dev.hawser.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AcknowledgementsTest {

  @Test
  void nothingIsKnownOfNobody() {
    assertThat(Acknowledgements.NONE.ofAll()).isZero();
    assertThat(Acknowledgements.NONE.of("phone")).isZero();
    assertThat(Acknowledgements.NONE.knows("phone")).isFalse();
  }

  @Test
  void theyOnlyRise() {
    var phone = Acknowledgements.NONE.and("phone", 7).and("phone", 5);
    assertThat(phone.of("phone")).isEqualTo(7);
    assertThat(phone.and("phone", 8).of("phone")).isEqualTo(8);
  }

  @Test
  void whatAllHaveIsWhatTheLastOneHas() {
    var both = Acknowledgements.NONE.and("phone", 7).and("tablet", 3);
    assertThat(both.ofAll()).isEqualTo(3);
    assertThat(both.and(Acknowledgements.NONE.and("tablet", 9)).ofAll()).isEqualTo(7);
  }

  @Test
  void aDeviceIsForgottenUnlessItWentOn() {
    var both = Acknowledgements.NONE.and("phone", 7).and("tablet", 3);
    assertThat(both.without("tablet", 2)).isEqualTo(both);
    assertThat(both.without("tablet", 3).byDevice()).containsOnlyKeys("phone");
    assertThat(both.without("tablet", 3).without("phone", 9)).isEqualTo(Acknowledgements.NONE);
    assertThat(both.without("watch", 9)).isEqualTo(both);
  }

  @Test
  void theDeviceThatIsFurthestBehindIsForgottenWhenThereAreTooMany() {
    var devices = Acknowledgements.NONE;
    for (int i = 0; i < 17; i++) {
      devices = devices.and("device-" + i, 100 - i);
    }
    assertThat(devices.byDevice()).hasSize(16).doesNotContainKey("device-16");
  }
}
