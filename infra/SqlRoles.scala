package shoplake

import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.CurrentUserContext
import org.apache.spark.sql.catalyst.expressions.{CallMethodViaReflection, Expression}
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.execution.datasources.{HadoopFsRelation, LogicalRelation}

/**
 * What the SQL port's user `bi` may do: read, and only the tables of gold and scoring, by name or by path.
 *
 * Judged is the analyzed plan, so that views, subqueries and paths are seen for what they read. Allowed are the kinds of
 * steps that are named here; whatever else Spark learns to do is refused until somebody adds it.
 */
class SqlRoles extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit =
    extensions.injectCheckRule(session => plan => if (SqlRoles.isReader) SqlRoles.check(session, plan))
}

object SqlRoles {
  val Reader = "bi"
  private val Layers = Seq("gold", "scoring")
  private val Looks = Set(
    "ShowTables", "ShowViews", "ShowNamespaces", "ShowColumns", "ShowCatalogs", "ShowCurrentNamespace", "ShowFunctions", "DescribeTable",
    "DescribeRelation", "DescribeColumn", "DescribeQuery", "DescribeNamespace", "SetCatalogAndNamespace", "SetNamespace",
    "Set", "Reset")

  def isReader: Boolean = CurrentUserContext.CURRENT_USER.get == Reader

  def check(session: SparkSession, plan: LogicalPlan): Unit = {
    val roots = Layers.map(layer => new Path(session.conf.get("spark.shoplake.lake") + "/" + layer).toUri.getPath + "/")
    (plan +: plan.subqueriesAll).foreach(_.foreach {
      case relation: LogicalRelation =>
        relation.relation match {
          case files: HadoopFsRelation
              if files.location.rootPaths.forall(p => roots.exists(root => (p.toUri.getPath + "/").startsWith(root))) =>
          case _ => refuse("reads tables of gold and scoring only")
        }
      case command: Command if Looks.contains(command.nodeName.stripSuffix("Command").stripSuffix("Exec")) =>
      case command: Command => refuse(s"changes nothing (${command.nodeName})")
      case step if step.children.isEmpty && !harmless(step) => refuse(s"cannot read from ${step.nodeName}")
      case step => step.expressions.foreach(_.foreach(look))
    })
  }

  // Rows that come from the statement itself; an RDD is how Delta reads its own log.
  private def harmless(leaf: LogicalPlan): Boolean = leaf match {
    case _: LocalRelation | _: OneRowRelation | _: Range | _: CTERelationRef => true
    case _ => Set("LogicalRDD", "ExternalRDD", "ResolvedNamespace", "ResolvedTable").contains(leaf.nodeName)
  }

  private def look(expression: Expression): Unit = expression match {
    case _: CallMethodViaReflection => refuse("calls no methods of Java")
    case _ =>
  }

  private def refuse(why: String): Unit = throw new SecurityException(s"The user $Reader $why.")
}
