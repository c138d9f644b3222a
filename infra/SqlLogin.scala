package shoplake

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}
import java.security.MessageDigest
import javax.security.sasl.AuthenticationException

import org.apache.hive.service.auth.PasswdAuthenticationProvider

/** Who may use the engine's SQL port: the user `shoplake` with the password in the file that the engine was started with. */
class SqlLogin extends PasswdAuthenticationProvider {
  override def Authenticate(user: String, password: String): Unit = {
    val wanted = Files.readString(Paths.get(System.getenv("SHOPLAKE_SQL_PASSWORD_FILE"))).trim
    val right = password != null && MessageDigest.isEqual(wanted.getBytes(UTF_8), password.getBytes(UTF_8))
    if (user != "shoplake" || !right) throw new AuthenticationException("Wrong user or password")
  }
}
